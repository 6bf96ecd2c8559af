"""Work on text done once for each distinct text, because the next batch brings the same few again.

Working out a few hundred rows of text as a frame costs milliseconds, most of it independent of their number; looking
them up costs microseconds. Small requests, each committed alone, would otherwise spend more on texts than on spans.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

__all__ = ["Memo", "TextRow"]

TextRow = tuple[object, ...]

Text = TypeVar("Text", bound=Hashable)

MAX_KNOWN = 10_000
"""Texts remembered. When there are more, all are forgotten: only a flood brings that many, and pays for it."""


class Memo(Generic[Text]):
    """A pure function of texts, or rows of texts, that remembers its answers; any thread may call it."""

    __slots__ = ("_known", "_work")

    def __init__(self, work: Callable[[Sequence[Text]], Sequence[Text]]) -> None:
        """Args:
        work: one answer for each text given, which depends on nothing else.
        """
        self._work = work
        self._known: dict[Text, Text] = {}

    def __call__(self, texts: Sequence[Text]) -> list[Text]:
        """What work makes of each text."""
        known = self._known
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            answers = dict(zip(new, self._work(new), strict=True))
            # Always another dictionary: a thread may be reading this one. Copying it is rare, as new rows are.
            known = known | answers
            self._known = known if len(known) <= MAX_KNOWN else {}
        return [known[text] for text in texts]
