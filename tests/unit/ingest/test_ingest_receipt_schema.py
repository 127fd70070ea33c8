"""The page about the JSON receipt names every key, status and decision of its schema, and the schema is of this version."""

import json
from pathlib import Path

from ingest.receipt_content import DECISION_NAMES, HANDLING_NAMES, SCHEMA_VERSION, STATUS_NAMES

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "ingest/receipt_schema.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/receipt_json.md").read_text(encoding="utf-8")


def test_the_schema_is_of_this_version():
    assert SCHEMA["$id"].endswith(f":{SCHEMA_VERSION}")


def test_every_key_is_explained():
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"])
    assert [key for key in SCHEMA["properties"] if f"`{key}`" not in PAGE] == []


def test_statuses_handlings_and_decisions_are_those_of_the_program():
    delivery = SCHEMA["properties"]["delivery"]["properties"]
    assert set(delivery["status"]["enum"]) == set(STATUS_NAMES)
    assert set(SCHEMA["$defs"]["finding"]["properties"]["handling"]["enum"]) == set(HANDLING_NAMES)
    assert set(SCHEMA["properties"]["decisions"]["items"]["properties"]["what"]["enum"]) == set(
        DECISION_NAMES
    )
    words = [*STATUS_NAMES, *HANDLING_NAMES, *DECISION_NAMES]
    assert [word for word in words if f"`{word}`" not in PAGE] == []
