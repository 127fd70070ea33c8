"""What a person at a terminal sees of a running line.

The command line installs a display; in the web UI and the daemon nothing is shown here, their events say it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

STAGES = ("接入", "暂存", "关联", "主档", "质检", "判定", "发布")


class Display:
    """Shows one bar of stages and, below it, what the current stage is doing."""

    def __init__(self, console: Console, title: str) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._console = console
        self._title = title
        self._line: TaskID | None = None
        self._detail: TaskID | None = None
        self._stage: str | None = None
        self._started = monotonic()

    def __enter__(self) -> "Display":
        self._progress.start()
        self._line = self._progress.add_task(self._title, total=len(STAGES))
        self._detail = self._progress.add_task("", total=1, visible=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._finish_stage()
        self._progress.stop()

    def stage(self, name: str) -> None:
        """Begin a stage of the line."""
        self._finish_stage()
        self._stage, self._started = name, monotonic()
        assert self._line is not None
        done = STAGES.index(name) if name in STAGES else 0
        self._progress.update(self._line, completed=done, description=f"{self._title} · {name}")
        if not self._console.is_terminal:
            self._console.print(f"  {name} …", highlight=False)

    def step(self, what: str, done: int, total: int) -> None:
        """Report progress inside the current stage."""
        assert self._detail is not None
        self._progress.update(
            self._detail, description=f"    {what}", completed=done, total=max(total, 1), visible=True
        )

    def _finish_stage(self) -> None:
        if self._stage is None:
            return
        if self._detail is not None:
            self._progress.update(self._detail, visible=False)
        self._console.print(f"  ✓ {self._stage}  {monotonic() - self._started:.1f} 秒", highlight=False)
        self._stage = None


_display: Display | None = None


@contextmanager
def shown(display: Display) -> Iterator[Display]:
    """Make `display` the one that `stage` and `step` write to."""
    global _display
    with display:
        _display = display
        try:
            yield display
        finally:
            _display = None


def stage(name: str) -> None:
    """Tell the display, if there is one, that a stage of the line begins."""
    if _display is not None:
        _display.stage(name)


def step(what: str, done: int, total: int) -> None:
    """Tell the display, if there is one, how far the current stage is (passed to stations as `on_progress`)."""
    if _display is not None:
        _display.step(what, done, total)
