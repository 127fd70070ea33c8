"""Stations 2 and 4, 暂存 and 主档: the dbt project, before and after linkage."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslatorSettings, dbt_assets

from infra.mail import MailTransport
from orchestration import progress, runs
from orchestration.dbt_project import HouseTranslator, manifest_path, stream_dbt
from orchestration.platform import Platform
from orchestration.scrub import scrubbed
from quality.alerts import deliver_alerts, queue_alerts
from quality.expectations import check_staging

TRANSLATOR = HouseTranslator(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=False))


@dbt_assets(
    name="dbt_staging",
    manifest=manifest_path(),
    select="fqn:yihu.staging fqn:yihu.intermediate resource_type:seed",
    dagster_dbt_translator=TRANSLATOR,
    required_resource_keys={"refresh_lock"},
    pool="dbt",
)
@scrubbed
def dbt_staging(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Code lists and staging: typed, one row a source record."""
    progress.stage("暂存")
    yield from stream_dbt(context, TRANSLATOR)


@dbt_assets(
    name="dbt_master",
    manifest=manifest_path(),
    select="fqn:yihu.master fqn:yihu.candidate",
    dagster_dbt_translator=TRANSLATOR,
    required_resource_keys={"refresh_lock"},
    pool="dbt",
)
@scrubbed
def dbt_master(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Golden records, membership, and the candidate of the next release."""
    progress.stage("主档")
    yield from stream_dbt(context, TRANSLATOR)


@dg.asset_check(
    asset=dg.AssetKey(["staging", "int_person_record"]),
    name="staging_is_whole_and_plausible",
    description="暂存层完整可信：接收的每一行恰好出现一次，键唯一，日期不晚于业务日期。不通过则不再继续关联，以免错误进入编号台账。",
    blocking=True,
)
@scrubbed
def staging_is_whole_and_plausible(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Great Expectations over staging; stops the line before the identity ledger is touched."""
    engine = platform.engine
    refresh_id = runs.current_refresh_id(engine)
    result = runs.check_result(check_staging(engine, refresh_id))
    if not result.passed:
        queue_alerts(engine, refresh_id)
        deliver_alerts(engine, MailTransport.from_settings(platform.settings), platform.settings)
    return result
