"""Texts as codes that sort like them: what is grouped by names is grouped by numbers."""

from collections.abc import Sequence

import numpy as np

from tracelith.forest.view import Int32

__all__ = ["numbered"]


def numbered(texts: Sequence[str], *further: str) -> tuple[tuple[str, ...], Int32]:
    """Distinct texts, sorted, the further ones among them, and for each text its place there."""
    distinct = tuple(sorted({*texts, *further}))
    number = {text: at for at, text in enumerate(distinct)}
    return distinct, np.array([number[text] for text in texts], np.int32)
