"""The crosswalk: which source row became which person and household, as CSV for whoever judges linkage.

It reads the newest build, published or refused, so that linkage can be judged before there are audits
(deliveries.md). Not here: anything of a person beyond our own ids.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from infra.errors import PermanentError

COLUMNS: Final = (
    "list_code",
    "delivery_id",
    "file_name",
    "sheet_name",
    "row_number",
    "person_id",
    "household_id",
    "link_rule",
    "link_probability",
)


def write_crosswalk(engine: Engine, path: Path) -> int:
    """Write `candidate.source_record` as UTF-8 CSV with a header, sorted by list, delivery, sheet and row.

    Null and the empty string are both written as an empty field. The file appears whole or not at all. Values are
    written exactly as they are: it is for programs, which match file names, not for a spreadsheet.

    Args:
        engine: Engine of the warehouse.
        path: File to write; an existing one is replaced.

    Returns:
        Rows written, the header not counted.

    Raises:
        PermanentError: There has been no build yet, or the folder cannot be written.
    """
    fields = ", ".join(f"nullif({column}, '')" if column == "sheet_name" else column for column in COLUMNS)
    query = (
        f'copy (select {fields} from candidate.source_record order by list_code collate "C", delivery_id,'
        f" sheet_name collate \"C\", row_number) to stdout (format csv, encoding 'UTF8')"
    )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with engine.connect() as connection, draft.open("wb") as file:
            # Shortest text that reads back as the same number, whatever the server's default.
            connection.execute(text("set local extra_float_digits = 1"))
            if connection.execute(text("select to_regclass('candidate.source_record')")).scalar_one() is None:
                raise PermanentError(
                    "导出来源对照", came="还没有任何一次构建", next_step="先运行 yihu refresh"
                )
            file.write((",".join(COLUMNS) + "\n").encode())
            cursor = connection.connection.cursor()
            with cursor.copy(query) as copy:
                for block in copy:
                    file.write(block)
            rows = int(cursor.rowcount)
        draft.replace(path)
    except OSError as error:
        raise PermanentError(
            "导出来源对照", came=f"{path} 写不了（{error.strerror}）", next_step="换一个可写的位置"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    return rows
