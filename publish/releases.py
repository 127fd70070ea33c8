"""Releases: publish the judged build, go back, bring back, keep a quarter, clear old ones.

Every verb is one transaction under the role `yihu_publisher` that first locks the pointer row, so two of them never
interleave and readers never wait (reliability.md D5, D6). What is checked here is checked for a readable reason; what
makes it safe is the gate in the database.

Not here: copying and counting rows (`stamping`), the meaning of database refusals (`gate`), texts about a release
(`report`).

Going back and the nightly refresh: a release the pointer was taken back over is *withdrawn*. The next refresh builds the
same content again and would put it right back, so `publish` refuses content that was withdrawn, and so does the
database. The register moves on when other content has been judged, or when a person calls `reinstate`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Row, text

from infra.clock import BUSINESS_ZONE
from infra.errors import PermanentError, TransientError
from publish.gate import GateRefusal, publisher_transaction
from publish.stamping import Differences, analyse_stamped_rows, compare, next_release_no, stamp

NIGHTLY: Final = "yihu"
T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """A new release is up: rows by table, and what it changes against `previous_release_no` (None: the first)."""

    release_no: int
    as_of: date
    counts: dict[str, int]
    differences: Differences
    previous_release_no: int | None


@dataclass(frozen=True)
class Unchanged:
    """The judged build is what is already up; nothing was written."""

    release_no: int


@dataclass(frozen=True)
class Refused:
    """Nothing was published; the release that was up stays up.

    Attributes:
        reason: Chinese, fit for mail, no person's data.
        code: `not_built`, `not_judged`, `changed` (after the verdict), `not_passed`, `withdrawn`, `older` (than what
            is up), `busy`, `sealed` or `not_allowed`.
    """

    reason: str
    code: str


def publish(engine: Engine, *, by: str = NIGHTLY) -> Published | Unchanged | Refused:
    """Publish the candidate build if exactly this content was judged and passed.

    Args:
        engine: Engine of the warehouse.
        by: Who publishes, for the pointer's history.

    Raises:
        TransientError: The connection broke; calling again is safe.
        PermanentError: The database is not as the migrations left it.
    """
    try:
        with publisher_transaction(engine, "发布") as connection:
            return _publish(connection, by)
    except GateRefusal as refusal:
        return Refused(refusal.reason, refusal.code)


def _publish(connection: Connection, by: str) -> Published | Unchanged:
    pointer = _locked_pointer(connection)
    content_hash: str = connection.execute(text("select release.candidate_hash()")).scalar_one()
    verdict = _passed_verdict(connection, content_hash)
    if content_hash == pointer.content_hash:
        return Unchanged(pointer.release_no)
    _refuse_withdrawn(connection, content_hash)
    _refuse_older(verdict, pointer)

    release_no = next_release_no(connection)
    counts = stamp(connection, release_no)
    differences = compare(connection, release_no, pointer.release_no)
    summary = {
        "counts": counts,
        "differences": differences.as_dict(),
        "previous_release_no": pointer.release_no,
    }
    as_of: date = connection.execute(
        text(
            "insert into release.release (release_no, content_hash, verdict_id, summary)"
            " values (:release_no, :content_hash, :verdict_id, cast(:summary as jsonb)) returning as_of"
        ),
        {
            "release_no": release_no,
            "content_hash": content_hash,
            "verdict_id": verdict.verdict_id,
            "summary": json.dumps(summary),
        },
    ).scalar_one()
    _move_pointer(connection, pointer.version, release_no, by, "判定通过")
    analyse_stamped_rows(connection)
    return Published(release_no, as_of, counts, differences, pointer.release_no)


def roll_back(engine: Engine, to_release_no: int | None = None, *, by: str, why: str) -> int:
    """Put the pointer back on an earlier release; the releases it passes over are withdrawn.

    Args:
        engine: Engine of the warehouse.
        to_release_no: A release that was once up and whose rows are still there; default: the nearest before the
            current one that is not withdrawn.
        by: The person who decides.
        why: The reason, kept in the history.

    Returns:
        The number of the release that is up now.

    Raises:
        PermanentError: There is no such release to go back to, or the gate refused it.
        TransientError: The connection broke, or somebody else is publishing.
    """

    def move(connection: Connection) -> int:
        pointer = _locked_pointer(connection)
        targets: list[int] = list(connection.execute(text("select release.rollback_targets()")).scalars())
        if to_release_no is None and not targets:
            raise GateRefusal("not_allowed", "没有可以回退到的一期。")
        target = targets[0] if to_release_no is None else to_release_no
        if pointer.release_no is None or target >= pointer.release_no:
            raise GateRefusal(
                "not_allowed", f"第 {target} 期不在当前期（{pointer.release_no or '无'}）之前，不能回退。"
            )
        _move_pointer(connection, pointer.version, target, by, why)
        return target

    return _by_person(engine, "回退发布", by, why, move)


def reinstate(engine: Engine, release_no: int, *, by: str, why: str) -> int:
    """Put the pointer forward again on a release that was withdrawn by `roll_back`.

    Args, returns and raises as `roll_back`; `release_no` lies after the current release.
    """

    def move(connection: Connection) -> int:
        pointer = _locked_pointer(connection)
        if pointer.release_no is None or release_no <= pointer.release_no:
            raise GateRefusal(
                "not_allowed", f"第 {release_no} 期不在当前期（{pointer.release_no or '无'}）之后，无须恢复。"
            )
        _move_pointer(connection, pointer.version, release_no, by, why)
        return release_no

    return _by_person(engine, "恢复发布", by, why, move)


def freeze_quarter(engine: Engine, quarter_start: date, *, by: str = NIGHTLY) -> int:
    """Keep the current release for ever as the archive of a quarter.

    Calling it again while the same release is up changes nothing.

    Args:
        engine: Engine of the warehouse.
        quarter_start: First day of the quarter.
        by: Who freezes.

    Returns:
        The number of the archived release.

    Raises:
        PermanentError: Not a first day of a quarter; no release yet; the release is from before the quarter; or
            the quarter has already been frozen as another release.
        TransientError: The connection broke, or somebody else is publishing.
    """
    if quarter_start.day != 1 or quarter_start.month not in (1, 4, 7, 10):
        raise PermanentError(
            "冻结季度档案", came=quarter_start.isoformat(), expected="季度首日，例如 2026-07-01"
        )

    def freeze(connection: Connection) -> int:
        pointer = _locked_pointer(connection)
        if pointer.release_no is None:
            raise GateRefusal("not_allowed", "尚无发布，没有可以冻结的内容。")
        frozen: int | None = connection.execute(
            text("select release_no from release.archive where quarter_start = :quarter_start"),
            {"quarter_start": quarter_start},
        ).scalar_one_or_none()
        if frozen is not None and frozen != pointer.release_no:
            raise GateRefusal(
                "not_allowed",
                f"{quarter_start} 起的季度已冻结为第 {frozen} 期，档案不可更改（当前为第 {pointer.release_no} 期）。",
            )
        if frozen is None:
            connection.execute(
                text(
                    "insert into release.archive (quarter_start, release_no, frozen_by)"
                    " values (:quarter_start, :release_no, :by)"
                ),
                {"quarter_start": quarter_start, "release_no": pointer.release_no, "by": by},
            )
        return int(pointer.release_no)

    return _stated(engine, "冻结季度档案", freeze)


def prune_releases(engine: Engine, keep: int) -> list[int]:
    """Delete the rows of old releases; their line in `release.release` stays.

    The current release, the `keep` releases one can go back to, everything after them and every quarter's archive
    stay.

    Returns:
        The release numbers whose rows were deleted, oldest first.

    Raises:
        PermanentError: `keep` is less than 1.
        TransientError: The connection broke, or somebody else is publishing.
    """

    def prune(connection: Connection) -> list[int]:
        return list(connection.execute(text("select release.prune(:keep)"), {"keep": keep}).scalars())

    return _stated(engine, "清理旧发布", prune)


def _locked_pointer(connection: Connection) -> Row[Any]:
    """The pointer row, locked until the transaction ends, with content hash and business date of its release."""
    # Two statements: after waiting for the lock, one with a join would see the new pointer beside old releases.
    connection.execute(text("select from release.pointer for update"))
    return connection.execute(
        text(
            "select p.release_no, p.version, r.content_hash, r.as_of from release.pointer as p"
            " left join release.release as r on p.release_no = r.release_no"
        )
    ).one()


def _passed_verdict(connection: Connection, content_hash: str) -> Row[Any]:
    """The newest verdict on this content, provided that the newest of every target has passed."""
    verdicts = connection.execute(
        text(
            "select distinct on (target_code) verdict_id, status, reasons, judged_at, as_of"
            " from quality.verdict where content_hash = :content_hash"
            " order by target_code, judged_at desc, verdict_id desc"
        ),
        {"content_hash": content_hash},
    ).all()
    if not verdicts:
        if connection.execute(text("select exists (select from quality.verdict)")).scalar_one():
            raise GateRefusal(
                "changed", "数据在判定之后有变动：没有针对现在这份内容的判定，须重新判定后再发布。"
            )
        raise GateRefusal("not_judged", "这份数据还没有经过准确率判定。")
    failed = [verdict for verdict in verdicts if verdict.status != "passed"]
    if failed:
        raise GateRefusal("not_passed", "".join(_failed_reason(verdict) for verdict in failed))
    return max(verdicts, key=lambda verdict: (verdict.judged_at, verdict.verdict_id))


def _failed_reason(verdict: Row[Any]) -> str:
    finding = "证据不足" if verdict.status == "insufficient" else "未通过"
    return f"判定{finding}，不予发布：{'；'.join(verdict.reasons) or '未说明理由'}。"


def _refuse_withdrawn(connection: Connection, content_hash: str) -> None:
    withdrawn = connection.execute(
        text(
            "select r.release_no, h.moved_by, h.moved_at, h.reason"
            " from release.release as r"
            " inner join release.pointer_history as h"
            " on h.move = 'roll_back' and h.to_release_no < r.release_no and r.release_no <= h.from_release_no"
            " where r.content_hash = :content_hash and release.is_withdrawn(r.release_no)"
            " order by h.history_no desc limit 1"
        ),
        {"content_hash": content_hash},
    ).one_or_none()
    if withdrawn is not None:
        when = withdrawn.moved_at.astimezone(BUSINESS_ZONE).strftime("%Y-%m-%d %H:%M")
        raise GateRefusal(
            "withdrawn",
            f"这份内容就是第 {withdrawn.release_no} 期，已由 {withdrawn.moved_by} 于 {when} 撤回"
            f"（{withdrawn.reason}）；须由人工恢复该期，或等新的内容到来。",
        )


def _refuse_older(verdict: Row[Any], pointer: Row[Any]) -> None:
    """A build for an earlier business date must not take the place of a newer release."""
    if pointer.as_of is not None and verdict.as_of < pointer.as_of:
        raise GateRefusal(
            "older",
            f"这份内容的业务日期 {verdict.as_of} 早于当前第 {pointer.release_no} 期的 {pointer.as_of}，不予发布；"
            "要回到以前的内容，请用回退（yihu rollback）。",
        )


def _move_pointer(connection: Connection, seen_version: int, release_no: int, by: str, why: str) -> None:
    """Compare and swap; the database's gate and log run inside this statement."""
    moved = connection.execute(
        text(
            "update release.pointer set release_no = :release_no, version = version + 1, moved_by = :by, reason = :why"
            " where version = :seen_version"
        ),
        {"release_no": release_no, "by": by, "why": why, "seen_version": seen_version},
    ).rowcount
    if moved != 1:
        raise GateRefusal("busy", "发布指针已被他人移动；当前发布不变，请稍后再试。")


def _by_person(engine: Engine, doing: str, by: str, why: str, act: Callable[[Connection], T]) -> T:
    """Run `act` for a person who says who they are and why."""
    if not by.strip() or not why.strip():
        raise PermanentError(doing, came="没有写明操作人或原因", expected="操作人和原因都不为空")
    return _stated(engine, doing, act)


def _stated(engine: Engine, doing: str, act: Callable[[Connection], T]) -> T:
    """Run `act` in a publisher's transaction; a refusal becomes an error for the person who asked."""
    try:
        with publisher_transaction(engine, doing) as connection:
            return act(connection)
    except GateRefusal as refusal:
        kind = TransientError if refusal.code == "busy" else PermanentError
        raise kind(doing, came=refusal.reason) from None
