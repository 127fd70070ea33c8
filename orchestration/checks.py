"""Checks of the wiring that need no database: part of `make check`."""

import dagster as dg


def check_definitions() -> str:
    """Load everything Dagster would load and resolve every job.

    Raises whatever Dagster raises for a definition that cannot be.
    """
    from orchestration.definitions import defs

    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    jobs = sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__"))
    return f"定义可加载：{len(graph.get_all_asset_keys())} 个资产，{len(graph.asset_check_keys)} 个检查，任务 {'、'.join(jobs)}"
