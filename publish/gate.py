"""One transaction under the publisher's role, and what the database's refusals mean.

Not here: what is published (`releases`); the gate itself, which stands in the database
(`infra/migrations/sql/0001_release_gate.sql`) so that no caller can go around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from infra.errors import PermanentError, TransientError, safe_message

_REFUSALS: Final = {
    "YH001": "not_passed",
    "YH002": "changed",
    "YH003": "withdrawn",
    "YH004": "sealed",
    "YH005": "not_allowed",
    "YH006": "not_built",
    "YH007": "older",
}
_LOCK_NOT_AVAILABLE: Final = "55P03"
_INSUFFICIENT_PRIVILEGE: Final = "42501"
# Connection lost or refused, serialization failure, deadlock, server going down, out of resources.
_TRANSIENT_CLASSES: Final = ("08", "40", "53", "57")

# Nobody may queue behind a publish for long, nor it behind others (reliability.md D6); a publisher that died must
# not leave a statement running that blocks the next one (D7). READ COMMITTED: after waiting for the pointer the
# next statement must see what the other publisher did.
_PREPARE: Final = (
    "set transaction isolation level read committed",
    "set local lock_timeout = '2s'",
    "set local client_connection_check_interval = '2s'",
    "set local role yihu_publisher",
)


class GateRefusal(Exception):
    """The release may not be published, or the pointer not moved: an expected outcome, not a fault.

    Args:
        code: What kind of refusal, one of the words of `Refused.code`.
        reason: Chinese, fit for users.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


@contextmanager
def publisher_transaction(engine: Engine, doing: str) -> Iterator[Connection]:
    """Open one transaction as `yihu_publisher`, committed when the block ends well and rolled back otherwise.

    Args:
        engine: Engine of the warehouse, logged in as a member of `yihu_publisher`.
        doing: What is being done, in Chinese, for error messages.

    Raises:
        GateRefusal: The database refused, or somebody else held a lock for longer than two seconds.
        TransientError: The connection broke or the server was overloaded. Whether the commit took place is then
            unknown; calling again is safe, a publish that did commit answers "unchanged".
        PermanentError: Any other database error, without the values it carried.
    """
    try:
        with engine.begin() as connection:
            for statement in _PREPARE:
                connection.execute(text(statement))
            yield connection
    except DBAPIError as error:
        # `from None`: the driver's message may quote a row.
        raise _translated(error, doing) from None


def _translated(error: DBAPIError, doing: str) -> Exception:
    sqlstate: str | None = getattr(error.orig, "sqlstate", None)
    if sqlstate == _LOCK_NOT_AVAILABLE:
        return GateRefusal("busy", "另一次发布或构建正占用数据，等待 2 秒未果；当前发布不变，请稍后再试。")
    if sqlstate in _REFUSALS:
        message: str = error.orig.diag.message_primary  # type: ignore[union-attr]
        return GateRefusal(_REFUSALS[sqlstate], message)
    if sqlstate is None or sqlstate.startswith(_TRANSIENT_CLASSES):
        return TransientError(doing, came=safe_message(error), next_step="稍后再试；当前发布不变或已完整更新")
    if sqlstate == _INSUFFICIENT_PRIVILEGE:
        return PermanentError(
            doing,
            came=safe_message(error),
            expected="登录用户是 yihu_publisher 的成员，且 candidate 由执行迁移的同一登录用户建立",
            next_step="由数据库管理员执行 grant yihu_publisher to <登录用户>",
        )
    return PermanentError(doing, came=safe_message(error), next_step="把这条信息交给开发人员")
