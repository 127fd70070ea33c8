"""What dbt knows of the contracts: the source ``raw`` and the seed ``list_code``, written from the YAML files.

The files are generated and never edited: ``python -m ingest.dbt_sources`` writes them, and a structure test says
when they are not current.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from ingest.contract import CODE_LIST_FILE, Contract, load_contracts

SOURCES_FILE: Final = Path(__file__).parent.parent / "dbt_project/models/staging/_raw_sources.yml"
LIST_CODE_FILE: Final = Path(__file__).parent.parent / "dbt_project/seeds/list_code.csv"
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


def render_list_codes() -> str:
    """CSV of the seed ``list_code``: every code of every code list; ``sort`` counts from 1 within the list."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code_list", "code", "name", "sort", "source", "valid_from"))
    for code_list, entry in yaml.safe_load(CODE_LIST_FILE.read_text(encoding="utf-8")).items():
        for sort, (code, texts) in enumerate(entry["codes"].items(), start=1):
            writer.writerow((code_list, code, texts[0], sort, entry["source"], entry.get("valid_from")))
    return text.getvalue()


def main() -> None:
    """Write the files."""
    SOURCES_FILE.parent.mkdir(parents=True, exist_ok=True)
    SOURCES_FILE.write_text(render_dbt_sources(load_contracts()), encoding="utf-8")
    LIST_CODE_FILE.write_text(render_list_codes(), encoding="utf-8")


if __name__ == "__main__":
    main()
