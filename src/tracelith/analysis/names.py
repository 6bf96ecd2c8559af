"""Lists of names in sentences, shortened where they are long: ``a, b and 3 more``."""

from collections.abc import Sequence

__all__ = ["listed"]


def listed(names: Sequence[str], most: int, *, first: int | None = None) -> str:
    """The names in a sentence, as they are: names from spans are made printable by whoever shows them.

    Args:
        names: in their order; none give no text.
        most: that are all named. first: of more than those, so many are; by default as many as ``most``.
    """
    if len(names) > most:
        shown = names[: most if first is None else first]
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
