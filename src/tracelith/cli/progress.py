"""Progress bars of commands that take a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Advance", "bar"]


@contextmanager
def bar(title: str) -> Iterator["Advance"]:
    """A progress bar on standard error, silent where that is no terminal; call it with done and total."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Advance(progress, progress.add_task(title, total=None))


@dataclass(frozen=True, slots=True)
class Advance:
    """Moves one bar."""

    progress: Progress
    task: int

    def __call__(self, done: int, total: int) -> None:
        """Shows done of total."""
        self.progress.update(self.task, completed=done, total=total)  # type: ignore[arg-type]  # TaskID is a NewType of int
