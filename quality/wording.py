"""Text of others made fit for a mail: no line breaks, no control characters, capped."""

import unicodedata


def one_line(text: str, length: int) -> str:
    """Text without line breaks and control or format characters, at most `length` characters long."""
    kept = "".join(" " if unicodedata.category(mark) in ("Cc", "Cf", "Zl", "Zp") else mark for mark in text)
    folded = " ".join(kept.split())
    return folded if len(folded) <= length else f"{folded[: length - 1]}…"
