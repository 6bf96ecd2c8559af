"""Work on rows of text done once for each distinct row, because the next batch brings the same few again.

Working out a few hundred rows as a frame costs milliseconds, most of it independent of their number; looking them up
costs microseconds. Small requests, each committed alone, would otherwise spend more on texts than on spans.
"""

from collections.abc import Callable, Sequence

__all__ = ["Memo", "TextRow"]

TextRow = tuple[object, ...]

MAX_ROWS = 10_000
"""Rows remembered. When there are more, all are forgotten: only a flood brings that many, and it pays for that itself."""


class Memo:
    """A pure function of rows that remembers its answers; any thread may call it."""

    __slots__ = ("_known", "_work")

    def __init__(self, work: Callable[[Sequence[TextRow]], Sequence[TextRow]]) -> None:
        """Args:
        work: one row for each row given, which depends on nothing else.
        """
        self._work = work
        self._known: dict[TextRow, TextRow] = {}

    def __call__(self, rows: Sequence[TextRow]) -> list[TextRow]:
        """What work makes of each row."""
        known = self._known
        new = [row for row in dict.fromkeys(rows) if row not in known]
        if new:
            answers = dict(zip(new, self._work(new), strict=True))
            # Always another dictionary: a thread may be reading this one. Copying it is rare, as new rows are.
            known = known | answers
            self._known = known if len(known) <= MAX_ROWS else {}
        return [known[row] for row in rows]
