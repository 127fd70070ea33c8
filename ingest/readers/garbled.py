"""Whether text was once decoded with the wrong encoding and saved that way (乱码).

Asked only about a file in which no header was found, to tell its supplier why; a sound file is never judged by it.
A guess at characters is not needed: text that was garbled becomes Chinese when the wrong step is undone, and sound
Chinese does not. Not here: bytes that decode as nothing (``delimited``), single unreadable cells (``normalise``).
"""

from __future__ import annotations

import re
from typing import Final

from ingest.readers.sheet import Content

# (encoding the text was wrongly opened with, encoding it was in): 濮撳悕, å§“å, ÐÕÃû are 姓名.
_WRONG_STEPS: Final = (
    ("gb18030", "utf-8"),
    ("cp1252", "utf-8"),
    ("latin-1", "utf-8"),
    ("latin-1", "gb18030"),
    ("cp1252", "gb18030"),
)
# What is left of Chinese once its bytes were replaced: U+FFFD, and U+FFFD saved as UTF-8 and opened as GBK.
_LOST: Final = re.compile("\ufffd|锟斤拷|锟斤|斤拷")
_CHINESE: Final = re.compile(r"[一-龥]")
_SEARCHED_ROWS: Final = 200
_LEAST_CHARACTERS: Final = 20  # fewer tell nothing
_EVIDENT_SHARE: Final = 0.5  # sound Chinese, undone by any of the steps, stays far below (tests)


def is_garbled(content: Content) -> bool:
    """Whether the text of the first rows is evidently garbled."""
    text = "\n".join(
        cell
        for sheet in content.sheets
        for row in sheet.rows[:_SEARCHED_ROWS]
        for cell in row.cells
        if isinstance(cell, str)
    )
    foreign = re.sub(r"[\x00-\x7f]", "", text)
    # A European language has accents, but more letters without.
    if len(foreign) < max(_LEAST_CHARACTERS, len(re.findall(r"[A-Za-z]", text))):
        return False
    lost = sum(len(found) for found in _LOST.findall(foreign))
    return lost > len(foreign) * _EVIDENT_SHARE or any(
        _is_undone(foreign, wrong, right) for wrong, right in _WRONG_STEPS
    )


def _is_undone(foreign: str, wrong: str, right: str) -> bool:
    """Whether most of the text becomes Chinese when what was opened as `wrong` is opened as `right`."""
    data = foreign.encode(wrong, "ignore")
    if len(data.decode(wrong)) < len(foreign) * _EVIDENT_SHARE:
        return False  # most characters cannot come from there
    # Measured in bytes, because the wrong step makes three characters of two, or three of one.
    chinese = "".join(_CHINESE.findall(data.decode(right, "replace")))
    return len(chinese.encode(right)) > len(data) * _EVIDENT_SHARE
