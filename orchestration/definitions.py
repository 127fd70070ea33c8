"""What Dagster loads: the asset graph of the house, its checks, jobs, schedules and sensors."""

import dagster as dg

from orchestration.assets import dbt, ingest, linkage, publish, quality, suppliers, waiting
from orchestration.decisions import confirm_partition_gone_job, refuse_delivery, release_delivery
from orchestration.jobs import (
    ingest_deliveries,
    pull_app,
    pull_app_every_half_hour,
    refresh_master,
    refresh_master_nightly,
    revise_archives,
    revise_archives_quarterly,
)
from orchestration.platform import RESOURCES
from orchestration.sensors import alert_sensor, failed_run_sensor, ingested_sensor, landing_sensor

defs = dg.Definitions(
    assets=[
        ingest.refresh,
        ingest.deliveries,
        waiting.waiting,
        suppliers.delivery_due,
        suppliers.supplier_scorecard,
        suppliers.receipt,
        dbt.dbt_staging,
        linkage.linkage,
        dbt.dbt_master,
        quality.check_results,
        quality.verdict,
        publish.release,
        publish.archive,
    ],
    asset_checks=[
        ingest.every_delivery_conserves_its_rows,
        ingest.no_delivery_waits_for_a_person,
        ingest.visit_app_is_reachable,
        ingest.deliveries_look_like_their_lists,
        suppliers.every_list_arrived_on_time,
        dbt.staging_is_whole_and_plausible,
    ],
    jobs=[
        ingest_deliveries,
        pull_app,
        refresh_master,
        revise_archives,
        release_delivery,
        refuse_delivery,
        confirm_partition_gone_job,
    ],
    schedules=[refresh_master_nightly, pull_app_every_half_hour, revise_archives_quarterly],
    sensors=[landing_sensor, failed_run_sensor, ingested_sensor, alert_sensor],
    resources=RESOURCES,
    executor=dg.in_process_executor,
)
