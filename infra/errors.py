"""The two kinds of failure every station raises, and the safe text of any exception.

An error says what was being done, what came, what was expected and what to do next, and never contains a
person's data. Station-specific errors derive from one of the two; the decision whether to retry is made on
the class alone.
"""

from __future__ import annotations


class _StatedError(Exception):
    """Base of the two kinds; not raised itself.

    Args:
        doing: What was being done, e.g. ``读取设置``.
        came: What was met. Never a person's data, never a secret.
        expected: What would have been right.
        next_step: What the reader should do now.
    """

    def __init__(self, doing: str, *, came: str = "", expected: str = "", next_step: str = "") -> None:
        self.doing = doing
        self.came = came
        self.expected = expected
        self.next_step = next_step
        parts = [f"{doing}：{came}" if came else doing]
        if expected:
            parts.append(f"应为：{expected}")
        if next_step:
            parts.append(f"请：{next_step.removeprefix('请')}")
        super().__init__("。".join(part.rstrip("。") for part in parts))


class PermanentError(_StatedError):
    """Trying again changes nothing: somebody has to correct a setting, a file or the code."""


class TransientError(_StatedError):
    """Trying again later may succeed: a lock, a network, a server that is still starting."""


def safe_message(error: BaseException) -> str:
    """Text of an exception that is fit for logs, Dagster and mails.

    Our own errors are safe by rule. Database drivers put row values into their messages even with
    ``hide_parameters`` (unique, check, cast and syntax errors), so of those only the SQLSTATE and the names of
    the objects are kept; of any other exception only its type.
    """
    if isinstance(error, _StatedError):
        return str(error)
    original = getattr(error, "orig", None) or error
    sqlstate = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if sqlstate:
        diagnosis = getattr(original, "diag", None)
        names = [
            f"{label}={value}"
            for label in ("schema_name", "table_name", "column_name", "constraint_name")
            if (value := getattr(diagnosis, label, None))
        ]
        return f"{type(original).__name__} (SQLSTATE {sqlstate}{', ' if names else ''}{', '.join(names)})"
    return type(error).__name__
