"""RawSpans from plain Python columns: the last step of every reader that is not columnar from the wire on."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.model.schema import ATTRIBUTE, RAW_LINK, RAW_SPAN, RawSpans, Rejection

__all__ = [
    "MAX_TIME_NS",
    "SPAN_ID_DIGITS",
    "TRACE_ID_DIGITS",
    "build_attributes",
    "build_links",
    "build_spans",
    "empty_raw_spans",
    "ids_from_hex",
    "pad_id",
    "scalar_text",
]

TRACE_ID_DIGITS = 32
SPAN_ID_DIGITS = 16
MAX_TIME_NS = 2**63 - 1
"""Times are signed 64-bit nanoseconds: they end in the year 2262."""

_SHORT_ID = re.compile(r"[0-9A-Fa-f]{1,32}\Z")


def ids_from_hex(texts: Sequence[str], digits: int) -> NDArray[np.uint64] | None:
    """Ids as unsigned 64-bit words, one row per text, ``digits / 16`` words in a row.

    Returns:
        None unless every text is exactly that many hexadecimal digits, of either case. Whoever gets None looks for the
        culprits one by one; the good case stays one pass in C.
    """
    words = digits // 16
    if not texts:
        return np.empty((0, words), dtype=np.uint64)
    if set(map(len, texts)) != {digits}:
        return None
    try:
        packed = bytes.fromhex("".join(texts))
    except ValueError:
        return None
    if len(packed) * 2 != len(texts) * digits:  # fromhex skips white space
        return None
    return np.frombuffer(packed, dtype=">u8").astype(np.uint64).reshape(len(texts), words)


def build_spans(columns: Mapping[str, Any]) -> pl.DataFrame:
    """RAW_SPAN rows from one sequence per column, in any order of columns."""
    return pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in RAW_SPAN.items()])


def build_attributes(
    rows: Sequence[int] | NDArray[np.uint32], keys: Sequence[str], values: Sequence[str | None]
) -> pl.DataFrame:
    """ATTRIBUTE rows from parallel columns, without those whose value is None or whose key means nothing here."""
    known = pl.Series("key", keys, dtype=pl.String).cast(ATTRIBUTE["key"], strict=False)
    frame = pl.DataFrame(
        [pl.Series("row", rows, dtype=ATTRIBUTE["row"]), known, pl.Series("value", values, dtype=ATTRIBUTE["value"])]
    )
    return frame.drop_nulls() if known.null_count() or frame["value"].null_count() else frame


def build_links(rows: Sequence[int], trace_ids: Sequence[str], span_ids: Sequence[str]) -> pl.DataFrame | None:
    """RAW_LINK rows from the linking span's row and hexadecimal ids of full length; None if one is not such an id."""
    traces, spans = ids_from_hex(trace_ids, TRACE_ID_DIGITS), ids_from_hex(span_ids, SPAN_ID_DIGITS)
    if traces is None or spans is None:
        return None
    columns = zip(RAW_LINK.items(), (rows, traces[:, 0], traces[:, 1], spans[:, 0]), strict=True)
    return pl.DataFrame([pl.Series(name, column, dtype=dtype) for (name, dtype), column in columns])


def empty_raw_spans(rejections: tuple[Rejection, ...] = ()) -> RawSpans:
    """A batch without spans, for input of which nothing could be taken."""
    return RawSpans(
        spans=RAW_SPAN.to_frame(),
        span_attributes=ATTRIBUTE.to_frame(),
        resource_count=0,
        resource_attributes=ATTRIBUTE.to_frame(),
        links=RAW_LINK.to_frame(),
        rejections=rejections,
    )


@lru_cache(maxsize=1 << 14)  # the ids of a trace and of parents come again within a few spans
def pad_id(text: str | None, digits: int) -> str:
    """A hexadecimal id of full length from one that may lack leading zeros; empty if it is no id or all zeros."""
    if text and _SHORT_ID.match(text) and len(text) <= digits and text.strip("0"):
        return text.rjust(digits, "0")
    return ""


def scalar_text(value: object) -> str | None:
    """A value as ATTRIBUTE writes it, whole doubles like integers; None for null, arrays and maps."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    # As Arrow writes doubles in requests over protobuf; some senders write even status codes as doubles.
    return repr(value).removesuffix(".0") if isinstance(value, int | float) else None
