"""The dbt source `raw`, written from the contracts (``dbt_project/models/staging/_raw_sources.yml``).

The file is generated and never edited: ``python -m ingest.dbt_sources`` writes it, and a structure test says
when it is not current.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from ingest.contract import Contract, load_contracts

SOURCES_FILE: Final = Path(__file__).parent.parent / "dbt_project/models/staging/_raw_sources.yml"
_HEADING: Final = (
    "# Generated from ingest/contracts by `python -m ingest.dbt_sources`. Do not edit: change the contract.\n"
)


def render_dbt_sources(contracts: Mapping[str, Contract]) -> str:
    """YAML of the dbt source ``raw``: one table a contract, one column a raw column, described in Chinese."""
    tables: list[dict[str, Any]] = [
        {
            "name": contract.list_code,
            "description": f"{contract.title}。{contract.grain}。",
            "config": {"meta": {"dagster": {"asset_key": ["raw", contract.list_code]}}},
            "columns": [
                {"name": column.name, "data_type": column.sql_type, "description": column.comment}
                for column in contract.raw_columns
            ],
        }
        for contract in contracts.values()
    ]
    document = {
        "sources": [
            {
                "name": "raw",
                "schema": "raw",
                "description": "各部门报送的清单，逐行照数据约定规范化；受保护的值只有密文。由 ingest 写入。",
                "tables": tables,
            }
        ]
    }
    return _HEADING + yaml.dump(document, allow_unicode=True, sort_keys=False, width=200)


def main() -> None:
    """Write the file."""
    SOURCES_FILE.parent.mkdir(parents=True, exist_ok=True)
    SOURCES_FILE.write_text(render_dbt_sources(load_contracts()), encoding="utf-8")


if __name__ == "__main__":
    main()
