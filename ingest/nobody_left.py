"""A list, or a community of it, of which nobody is left: said by a file without rows, and confirmed by a person.

A file that has only headers is refused (reliability.md B02): most such files are forgotten, and to believe them would
be a mass exit. The receipt tells the supplier to say so if it is true. Confirmed, the refused delivery becomes a loaded
one without a row, which speaks for the whole street, or in a list by community for the communities that were confirmed
(``gone_communities``): from its snapshot date on nothing earlier stands. Not here: communities that a delivery with rows
lacks (``holds``).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, text

from infra.clock import business_today
from infra.errors import PermanentError
from ingest.changes import record_changes
from ingest.contract import Contract
from ingest.guards import facts_of
from ingest.loading import tell_communities
from ingest.partitions import standing_partitions

# What stands for all communities where a list is of the whole street.
WHOLE_STREET: Final = "全街道"
EMPTY: Final = "no_rows"
NOBODY_LEFT: Final = "nobody_left"


def empty_delivery(connection: Connection, delivery_id: int) -> Row[Any] | None:
    """The delivery, locked, when it has no row and none was expected of it or may be; else None."""
    return connection.execute(
        text(
            "select * from ops.delivery where delivery_id = :id and ((status = 'refused' and reason_code = :empty) "
            "or (status = 'loaded' and reason_code = :nobody and coverage = 'community')) for update"
        ),
        {"id": delivery_id, "empty": EMPTY, "nobody": NOBODY_LEFT},
    ).first()


def settle_nobody_left(
    connection: Connection,
    contract: Contract,
    empty: Row[Any],
    community_name: str,
    who: str,
    why: str,
    action: str,
) -> str | None:
    """Let an empty delivery speak: for the whole street, or for one more community.

    Args:
        connection: Of the transaction; other deliveries of the list are locked out.
        contract: Its list.
        empty: What :func:`empty_delivery` found.
        community_name: The community, ``WHOLE_STREET`` for a list of the whole street.
        who: Who confirms it.
        why: On what ground.
        action: What is being done, for errors.

    Returns:
        The community as it is to be noted; None for the whole street.

    Raises:
        PermanentError: The list is not one of which somebody can be left, or the name is not one of its communities.
    """
    if not contract.is_snapshot:
        raise PermanentError(
            action,
            came=f"《{contract.title}》只报新发生的，空表不说明什么",
            expected="每次报全部对象的清单",
            next_step="不必处理",
        )
    possible = _communities(connection, contract, empty) if contract.is_partial else [WHOLE_STREET]
    if community_name not in possible:
        raise PermanentError(
            action,
            came=f"这张清单没有“{community_name}”可确认",
            expected=f"{'、'.join(possible)}{'之一' if len(possible) > 1 else ''}"
            if possible
            else "报过的社区",
            next_step="按上述写法填写社区后再试",
        )
    gone = sorted({*empty.gone_communities, community_name}) if contract.is_partial else []
    delivery = connection.execute(
        text(
            "update ops.delivery set status = 'loaded', reason_code = :code, reason = :reason, coverage = :coverage, "
            "gone_communities = :gone, released_by = :by, released_at = now() where delivery_id = :id returning *"
        ),
        {
            "id": empty.delivery_id,
            "code": NOBODY_LEFT,
            "reason": f"{facts_of(empty.reason)}{who} 于 {business_today()} 确认{community_name}已没有对象：{why.rstrip('。')}。",
            "coverage": "community" if contract.is_partial else "whole",
            "gone": gone,
            "by": who,
        },
    ).one()
    standing = standing_partitions(
        connection, contract, delivery.snapshot_date, delivery.received_at, delivery.delivery_id
    )
    if contract.is_partial:
        standing = {name: part for name, part in standing.items() if name in gone}
    carried_on = connection.scalars(
        text(
            "update ops.partition_hold as hold set status = 'carried_on', settled_by_delivery = :id "
            "from ops.delivery as earlier where earlier.delivery_id = hold.delivery_id "
            "and earlier.list_code = :list_code and hold.status = 'open' "
            "and (hold.community_name = :community or :community = :whole) "
            "and (earlier.snapshot_date, earlier.received_at, earlier.delivery_id) "
            "< (:snapshot_date, :received_at, :id) returning hold.delivery_id"
        ),
        {
            "id": delivery.delivery_id,
            "list_code": contract.list_code,
            "community": community_name,
            "whole": WHOLE_STREET,
            "snapshot_date": delivery.snapshot_date,
            "received_at": delivery.received_at,
        },
    ).all()
    for earlier_id in sorted(set(carried_on)):
        tell_communities(connection, earlier_id)
    connection.execute(
        text("delete from ops.delivery_change where delivery_id = :id"), {"id": delivery.delivery_id}
    )
    record_changes(connection, contract, delivery, standing)
    return community_name if contract.is_partial else None


def _communities(connection: Connection, contract: Contract, empty: Row[Any]) -> list[str]:
    """Communities of which somebody stands before the delivery, or of which the list is expected."""
    standing = standing_partitions(
        connection, contract, empty.snapshot_date, empty.received_at, empty.delivery_id
    )
    owing = connection.scalars(
        text("select community_name from ops.delivery_due_community where list_code = :list_code"),
        {"list_code": contract.list_code},
    )
    return sorted({*filter(None, standing), *owing} - set(empty.gone_communities))
