"""What a person decides about what waits: release or refuse a delivery, give its password, confirm a community.

Every decision is kept in ``ops.delivery_decision`` with who, when and why. Not here: why something waits (``guards``), and
how a file becomes a delivery (``deliveries``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text

from infra.clock import business_today
from infra.errors import PermanentError
from infra.protection import FieldProtector
from infra.warehouse import limit_lock_wait, persistent
from ingest.contract import Contract, load_contracts
from ingest.deliveries import Unlocking, take_in_again
from ingest.delivery_checks import after_decision
from ingest.guards import facts_of
from ingest.landing import StillChanging, opened, scan
from ingest.ledger import DeliveryOutcome
from ingest.loading import settle_loaded, tell_communities
from ingest.messages import REFUSED_WITH_DELIVERY, message
from ingest.nobody_left import empty_delivery, settle_nobody_left
from ingest.normalise.numbers import with_numbers_hidden
from ingest.partitions import lock_list
from ingest.readers.sheet import UnreadableFile
from ingest.superseded import SUPERSEDED, set_aside

_STATUS_NAMES: Final = {"loaded": "已接收", "held": "扣留", "refused": "已拒收", "duplicate": "重复，未登记"}
_HOLD_NAMES: Final = {"confirmed_gone": "已确认", "delivered": "已补报", "carried_on": "转到后来的来件"}
_SEE_WAITING = "用 yihu delivery list --waiting 查看等待处理的来件"


@persistent("放行来件")
def release_held(engine: Engine, delivery_id: int, released_by: str, why: str = "") -> None:
    """Release a held delivery: from now on staging reads it.

    It is put where its snapshot date belongs: an older one never replaces what a newer one says. Communities that it
    lacks are held by themselves, unless its guard asked about them.

    Raises:
        PermanentError: There is no such delivery, it is not held, it has no usable row or no community that tells what it
            replaces, or `released_by` is empty.
    """
    action = f"放行来件 {delivery_id}"
    who, reason = _said(action, released_by, why, needs_reason=False)
    with engine.begin() as connection:
        held = _lock_held(connection, delivery_id, action)
        contract = _contract(held.list_code, action)
        if held.accepted_count == 0:
            raise PermanentError(
                action,
                came="它在等打开密码"
                if held.reason_code == "needs_password"
                else "这次来件没有一行可用的数据",
                expected="至少有一行已接收的数据",
                next_step=f"用 yihu delivery unlock {delivery_id} 提供密码"
                if held.reason_code == "needs_password"
                else "请报送单位按回执改正后重新报送",
            )
        if contract.is_partial and held.reason_code == "community_unknown":
            raise PermanentError(
                action,
                came="这种清单按社区报送，而这次来件没有一行写明社区，分不清取代谁",
                expected="每行写明社区",
                next_step="拒收这次来件，请报送单位补填社区后重新报送",
            )
        connection.execute(
            text(
                "update ops.delivery set status = 'loaded', released_by = :released_by, released_at = now(), "
                "reason = :reason where delivery_id = :id"
            ),
            {
                "id": delivery_id,
                "released_by": who,
                "reason": f"{facts_of(held.reason)}已由{who}于 {business_today()} 放行。",
            },
        )
        _note(connection, delivery_id, "release", who, reason)
        settle_loaded(connection, contract, delivery_id, released=held.reason_code)
        after_decision(connection, held.list_code, delivery_id)


@persistent("拒收来件")
def refuse_held(engine: Engine, delivery_id: int, refused_by: str, why: str) -> None:
    """Refuse a held delivery for good; the guard's reason stays, with who refused it, when and why added.

    Its rows are kept in quarantine, with the rule ``delivery_refused``: they are what was decided on. The same file may
    come again as a new delivery, for the guards to judge anew.

    Raises:
        PermanentError: There is no such delivery, it is not held, or `refused_by` or `why` is empty.
    """
    action = f"拒收来件 {delivery_id}"
    who, reason = _said(action, refused_by, why)
    with engine.begin() as connection:
        held = _lock_held(connection, delivery_id, action)
        set_aside(
            connection,
            held.list_code,
            delivery_id,
            f"{held.reason}已由 {who} 于 {business_today()} 拒收：{reason.rstrip('。')}。",
            message(REFUSED_WITH_DELIVERY, is_quarantined=True),
        )
        _note(connection, delivery_id, "refuse", who, reason)


@persistent("确认社区情况")
def confirm_partition_gone(
    engine: Engine, delivery_id: int, community_name: str, confirmed_by: str, why: str
) -> None:
    """Confirm that a delivery is right about a community that it lacks, or of which it has far fewer rows.

    From its snapshot date on the delivery speaks for the community; so do later ones that lacked it for the same reason.
    A delivery that was refused because it has no row at all is confirmed in the same way (`ingest.nobody_left`); of a
    list of the whole street `community_name` is then ``全街道``.

    Raises:
        PermanentError: The community of this delivery does not wait, or `confirmed_by` or `why` is empty.
    """
    action = f"确认来件 {delivery_id} 的社区“{community_name}”"
    who, reason = _said(action, confirmed_by, why)
    with engine.begin() as connection:
        limit_lock_wait(connection)
        list_code = connection.scalar(
            text("select list_code from ops.delivery where delivery_id = :id"), {"id": delivery_id}
        )
        if list_code is not None:
            lock_list(connection, list_code)
        empty = empty_delivery(connection, delivery_id)
        if empty is not None:
            noted = settle_nobody_left(
                connection, _contract(empty.list_code, action), empty, community_name, who, reason, action
            )
            _note(connection, delivery_id, "confirm_gone", who, reason, noted)
            after_decision(connection, empty.list_code, delivery_id)
            return
        hold = connection.execute(
            text(
                "select status, last_delivery_id from ops.partition_hold "
                "where delivery_id = :id and community_name = :community for update"
            ),
            {"id": delivery_id, "community": community_name},
        ).first()
        if hold is None or hold.status not in ("open", "carried_on"):
            waiting = connection.scalars(
                text(
                    "select community_name from ops.waiting where delivery_id = :id and community_name is not null"
                ),
                {"id": delivery_id},
            ).all()
            raise PermanentError(
                action,
                came="它没有待确认" if hold is None else f"它已了结（{_HOLD_NAMES[hold.status]}）",
                expected=f"待确认的社区之一：{'、'.join(waiting)}" if waiting else "有待确认社区的来件",
                next_step=_SEE_WAITING,
            )
        confirmed = connection.scalars(
            text(
                "update ops.partition_hold as hold set status = 'confirmed_gone', decided_by = :by, decided_at = now(), "
                "why = :why from ops.delivery as later, ops.delivery as this where this.delivery_id = :id "
                "and later.delivery_id = hold.delivery_id and later.list_code = this.list_code "
                "and hold.community_name = :community and hold.status in ('open', 'carried_on') "
                "and hold.last_delivery_id = :last "
                "and (later.snapshot_date, later.received_at, later.delivery_id) "
                ">= (this.snapshot_date, this.received_at, this.delivery_id) returning hold.delivery_id"
            ),
            {
                "id": delivery_id,
                "community": community_name,
                "last": hold.last_delivery_id,
                "by": who,
                "why": reason,
            },
        ).all()
        for confirmed_id in sorted(confirmed):
            tell_communities(connection, confirmed_id)
            _note(connection, confirmed_id, "confirm_gone", who, reason, community_name)
        after_decision(connection, str(list_code), delivery_id)


@persistent("打开来件")
def unlock_held(
    engine: Engine,
    protector: FieldProtector,
    landing: Path,
    delivery_id: int,
    password: str,
    unlocked_by: str,
) -> DeliveryOutcome:
    """Open a delivery that waits for its password and take it in, as the delivery it is.

    The password is used once and kept nowhere.

    Args:
        engine: The warehouse.
        protector: Encrypts what the contracts protect.
        landing: The landing folder where the file still lies, byte for byte.
        delivery_id: The delivery.
        password: What opens the file.
        unlocked_by: Who gives it.

    Returns:
        What became of the delivery: loaded, held by a guard, or refused.

    Raises:
        PermanentError: The delivery does not wait for a password, its file is gone or another one, the password is wrong.
        TransientError: The database failed.
    """
    action = f"打开来件 {delivery_id}"
    who, _ = _said(action, unlocked_by, "", needs_reason=False)
    with engine.connect() as connection:
        limit_lock_wait(connection)
        held = connection.execute(
            text("select * from ops.delivery where delivery_id = :id"), {"id": delivery_id}
        ).first()
    if held is None or held.status != "held" or held.reason_code != "needs_password":
        raise PermanentError(
            action, came="它没有在等密码", expected="因设有打开密码而扣留的来件", next_step=_SEE_WAITING
        )
    gone = PermanentError(
        action,
        came="来件文件夹中已没有这个文件，或内容变了",
        expected=f"原来的文件 {held.file_name}",
        next_step="把原文件放回原处；已换成新文件的，拒收这次来件即可",
    )
    file = next((file for file in scan(landing) if file.source_path == held.source_path), None)
    if file is None:
        raise gone
    refusal: UnreadableFile | None = None
    outcome: DeliveryOutcome | None = None
    try:
        with opened(file) as content:
            if content.sha256 != held.content_sha256:
                raise gone
            outcome = take_in_again(
                engine, protector, content, held.received_at, Unlocking(delivery_id, password, who)
            )
    except StillChanging:
        raise gone from None
    except UnreadableFile as error:
        refusal = error
    if refusal is not None:
        # Raised here: the reader's own exception knows the password in its frames.
        raise PermanentError(
            action,
            came="密码不对" if refusal.code in ("wrong_password", "needs_password") else refusal.reason,
            expected="能打开这个文件的密码",
            next_step="向报送单位核对密码（大小写、全角半角）后再试",
        )
    if outcome is None:
        raise gone
    return outcome


def _said(action: str, who: str, why: str, *, needs_reason: bool = True) -> tuple[str, str]:
    """Who and why as one line each, without numbers that could be somebody's."""
    by, reason = (with_numbers_hidden(" ".join(words.split())) for words in (who, why))
    if not by or (needs_reason and not reason):
        raise PermanentError(
            action,
            came="没有写明是谁" + ("或原因" if needs_reason else ""),
            expected="写明是谁" + ("和原因" if needs_reason else ""),
            next_step="补上姓名" + ("和原因" if needs_reason else "") + "后再试",
        )
    return by, reason


def _note(
    connection: Connection,
    delivery_id: int,
    decision: str,
    who: str,
    why: str,
    community_name: str | None = None,
) -> None:
    connection.execute(
        text(
            "insert into ops.delivery_decision (delivery_id, community_name, decision, decided_by, why) "
            "values (:id, :community, :decision, :by, nullif(:why, ''))"
        ),
        {"id": delivery_id, "community": community_name, "decision": decision, "by": who, "why": why},
    )


def _contract(list_code: str, action: str) -> Contract:
    contract = load_contracts().get(list_code)
    if contract is None:
        raise PermanentError(
            action, came=f"没有 {list_code} 的数据约定", expected="现有的清单", next_step="拒收这次来件"
        )
    return contract


def _lock_held(connection: Connection, delivery_id: int, action: str) -> Row[Any]:
    limit_lock_wait(connection)
    list_code = connection.scalar(
        text("select list_code from ops.delivery where delivery_id = :id"), {"id": delivery_id}
    )
    if list_code is not None:
        lock_list(connection, list_code)
    row = connection.execute(
        text(
            "select list_code, status, accepted_count, reason_code, reason, superseded_by from ops.delivery "
            "where delivery_id = :id for update"
        ),
        {"id": delivery_id},
    ).first()
    if row is not None and row.reason_code == SUPERSEDED:
        raise PermanentError(
            action,
            came=f"它已由来件 {row.superseded_by} 更正，不再使用",
            expected="扣留中的来件",
            next_step=f"不必处理；来件 {row.superseded_by} 有误的，请报送单位改正后再报",
        )
    if row is None or row.status != "held":
        raise PermanentError(
            action,
            came="没有这次来件" if row is None else f"它不在扣留中（{_STATUS_NAMES[row.status]}）",
            expected="扣留中的来件",
            next_step=_SEE_WAITING,
        )
    return row
