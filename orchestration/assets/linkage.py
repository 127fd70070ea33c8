"""Station 3, 关联: who is who, and who lives with whom."""

from collections.abc import Iterator

import dagster as dg

from linkage.run import link
from orchestration import progress, runs
from orchestration.groups import LINKAGE
from orchestration.platform import HeldLock, Platform
from orchestration.scrub import scrubbed

RECORDS = [dg.AssetKey(["staging", "int_person_record"]), dg.AssetKey(["staging", "int_household_record"])]
DESCRIPTIONS = {
    "record_link": "每条来源记录属于哪个人、哪一户，由哪条规则、以多大把握判定。",
    "household_membership": "人在各居住家庭中的起止日期。",
    "identity_event": "编号台账：人员与家庭编号的产生、合并、拆分、注销，只增不改。",
}


@dg.multi_asset(
    name="linkage",
    specs=[
        dg.AssetSpec(
            ["linkage", table],
            deps=RECORDS,
            group_name=LINKAGE,
            kinds={"splink", "duckdb", "postgres"},
            description=f"{description}变红表示关联未完成，编号未改动：可直接重新运行。",
        )
        for table, description in DESCRIPTIONS.items()
    ],
)
@scrubbed
def linkage(platform: dg.ResourceParam[Platform], refresh_lock: HeldLock) -> Iterator[dg.MaterializeResult]:
    """Link the records as of the business date and keep the identity ledger."""
    progress.stage("关联")
    engine = platform.engine
    summary = link(engine, platform.protector, runs.current_as_of(engine), on_progress=progress.step)
    yield dg.MaterializeResult(
        asset_key=["linkage", "record_link"],
        metadata={
            "dagster/row_count": summary.record_count,
            "人数": summary.person_count,
            "户数": summary.household_count,
            "合并的重复记录": summary.duplicate_count,
            "用时（秒）": summary.seconds,
        },
    )
    yield dg.MaterializeResult(
        asset_key=["linkage", "household_membership"],
        metadata={"dagster/row_count": runs.row_count(engine, "linkage.household_membership")},
    )
    yield dg.MaterializeResult(
        asset_key=["linkage", "identity_event"],
        metadata={
            "新编号": summary.minted_count,
            "合并": summary.merged_count,
            "拆分": summary.split_count,
            "dagster/row_count": runs.row_count(engine, "linkage.identity_event"),
        },
    )
