"""From nested Arrow columns to RawSpans: offsets become row numbers, bytes become ids and text, bad spans are named.

The child arrays of a nested Arrow column are already flat; only the row each element belongs to has to be
computed, and that is ``np.repeat`` over differences of offsets. Exploding the lists instead copies every column
once per level.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracelith.model.schema import ATTRIBUTE, RAW_LINK, RAW_SPAN, Kind, RawSpans, Status
from tracelith.model.semantic_conventions import KNOWN_RESOURCE_KEYS, KNOWN_SPAN_KEYS, QUERY_TEXT_KEYS

__all__ = ["REFUSALS", "FlatSpans", "flatten", "rows_of", "without_spans"]

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
UInt64 = NDArray[np.uint64]

MAX_TIME_NS = np.uint64(2**63 - 1)

REFUSALS = (
    "",
    "trace_id must be 16 bytes and not all zero",
    "span_id must be 8 bytes and not all zero",
    "parent_span_id must be empty or 8 bytes",
    "start_time_unix_nano must be set",
    "times must lie before the year 2262",
    "text must be UTF-8",
)
"""Why a span is refused, by refusal number; 0 is not refused. The first that applies is given; _refusals tests
them in this order."""


@dataclass(frozen=True, slots=True)
class FlatSpans:
    """The sound spans of many requests, and what became of every span.

    Attributes:
        raw: the sound spans; its rejections are empty.
        request: int64, one per span that arrived, the number of its request.
        refusal: uint8, one per span that arrived, index into REFUSALS.
    """

    raw: RawSpans
    request: Int64
    refusal: UInt8


def flatten(requests: pa.RecordBatch) -> FlatSpans:
    """Spans of a batch of requests as ``projection.REQUESTS`` parsed them, one request per row."""
    resource_spans = requests.column(0)
    groups = resource_spans.values
    resources, scope_spans = groups.field(0), groups.field(1)
    scoped = scope_spans.values
    scopes, spans = scoped.field(0).field(0), scoped.field(1)
    resource_of_scope = rows_of(scope_spans)
    scope_of_span = rows_of(spans)
    resource_of_span = resource_of_scope[scope_of_span]

    scope_names = _text(scopes)
    resource_attributes, misspelt_resources = _attributes(resources.field(0), _RESOURCE_KEYS)
    misspelt = _flags(misspelt_resources, len(resources))[resource_of_span] | _missing(scope_names)[scope_of_span]
    columns = _span_columns(spans.values)
    columns["scope"] = scope_names.take(pa.array(scope_of_span))
    columns["resource_row"] = resource_of_span
    span_attributes, misspelt_spans = _attributes(spans.values.field(8), _SPAN_KEYS)
    misspelt |= _flags(misspelt_spans, len(misspelt))
    refusal = _refusals(columns, spans.values, misspelt)
    raw = RawSpans(
        spans=pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in RAW_SPAN.items()]),
        span_attributes=span_attributes,
        resource_count=len(groups),
        resource_attributes=resource_attributes,
        links=_links(spans.values.field(9)),
    )
    return FlatSpans(without_spans(raw, refusal != 0), rows_of(resource_spans)[resource_of_span], refusal)


# --- offsets, ids, text --------------------------------------------------------------------------------------------


def rows_of(lists: pa.ListArray) -> Int64:
    """For each element of all lists, the row its list is in."""
    return np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy()))


def _words(ids: pa.BinaryArray, words: int) -> tuple[UInt64, Bool]:
    """Ids as big-endian 64-bit words, shape (len, words), and which have exactly that length; others are zero."""
    width = 8 * words
    _, offset_buffer, data_buffer = ids.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    lengths = np.diff(offsets)
    exact = lengths == width
    if not exact.any():
        return np.zeros((len(ids), words), np.uint64), exact
    data = np.frombuffer(data_buffer, np.uint8)
    if np.count_nonzero(exact) * width == offsets[-1] - offsets[0]:  # the others are empty: one block
        block = data[offsets[0] : offsets[-1]]
    else:
        block = np.ascontiguousarray(data[offsets[:-1][exact][:, None] + np.arange(width)]).ravel()
    numbers = block.view(">u8").reshape(-1, words).astype(np.uint64)
    if len(numbers) == len(ids):
        return numbers, exact
    result = np.zeros((len(ids), words), np.uint64)
    result[exact] = numbers
    return result, exact


def _text(values: pa.BinaryArray) -> pa.StringArray:
    """Text; null where the bytes are not UTF-8. A missing message has empty text."""
    if values.null_count:
        values = pc.fill_null(values, b"")
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        # Neither Arrow nor Polars casts what is sound and leaves out the rest. Only senders of bad text come here.
        return pa.array(map(_decoded, values.to_pylist()), pa.string())


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _missing(values: pa.Array) -> Bool:
    """Which values are null."""
    missing: Bool = values.is_null().to_numpy(zero_copy_only=False)
    return missing


def _flags(rows: Int64, length: int) -> Bool:
    flags = np.zeros(length, np.bool_)
    flags[rows] = True
    return flags


# --- spans ---------------------------------------------------------------------------------------------------------


def _span_columns(spans: pa.StructArray) -> dict[str, Any]:
    """RAW_SPAN columns but scope and resource_row; unsound values are there as they came or as zero."""
    trace, _ = _words(spans.field(0), 2)
    start, end = spans.field(6).to_numpy(), spans.field(7).to_numpy()
    return {
        "trace_hi": trace[:, 0],
        "trace_lo": trace[:, 1],
        "span_id": _words(spans.field(1), 1)[0][:, 0],
        "parent_id": _words(spans.field(3), 1)[0][:, 0],
        "start_ns": np.minimum(start, MAX_TIME_NS).astype(np.int64),
        "end_ns": np.minimum(end, MAX_TIME_NS).astype(np.int64),
        "name": _text(spans.field(4)),
        "kind": _known(spans.field(5), len(Kind)),
        "status": _known(spans.field(10).field(0), len(Status)),
        "trace_state": _text(spans.field(2)),
        "flags": spans.field(11).to_numpy(),
    }


def _known(numbers: pa.Int32Array, members: int) -> UInt8:
    """Enum numbers; those of later versions of the protocol become 0, unspecified."""
    values = numbers.to_numpy(zero_copy_only=False)
    return np.where((values >= 0) & (values < members), values, 0).astype(np.uint8)


def _refusals(columns: Mapping[str, Any], spans: pa.StructArray, misspelt: Bool) -> UInt8:
    """Index into REFUSALS per span."""
    parent_lengths = np.diff(np.frombuffer(spans.field(3).buffers()[1], np.int32))[: len(spans)]
    start, end = spans.field(6).to_numpy(), spans.field(7).to_numpy()
    name, trace_state = columns["name"], columns["trace_state"]
    if name.null_count or trace_state.null_count:
        misspelt = misspelt | _missing(name) | _missing(trace_state)
    defects = (
        (columns["trace_hi"] | columns["trace_lo"]) == 0,
        columns["span_id"] == 0,
        (parent_lengths != 0) & (parent_lengths != 8),
        start == 0,
        np.maximum(start, end) > MAX_TIME_NS,
        misspelt,
    )
    refusal = np.zeros(len(spans), np.uint8)
    for number, (_reason, defect) in reversed(list(enumerate(zip(REFUSALS[1:], defects, strict=True), start=1))):
        refusal[defect] = number
    return refusal


def without_spans(raw: RawSpans, refused: Bool) -> RawSpans:
    """The batch without the refused spans, rows renumbered."""
    if not refused.any():
        return raw
    new_row = (np.cumsum(~refused) - 1).astype(np.uint32)

    def renumbered(frame: pl.DataFrame) -> pl.DataFrame:
        rows = frame["row"].to_numpy()
        kept = ~refused[rows]
        return frame.filter(kept).with_columns(pl.Series("row", new_row[rows[kept]]))

    return replace(
        raw,
        spans=raw.spans.filter(~refused),
        span_attributes=renumbered(raw.span_attributes),
        links=renumbered(raw.links),
        details=None if raw.details is None else raw.details.filter(~refused),
    )


def _links(links: pa.ListArray) -> pl.DataFrame:
    """RAW_LINK rows. A link without sound ids points nowhere (the API permits such links): it is left out."""
    if not len(links.values):
        return RAW_LINK.to_frame()
    trace, _ = _words(links.values.field(0), 2)
    span, _ = _words(links.values.field(1), 1)
    columns = (rows_of(links), trace[:, 0], trace[:, 1], span[:, 0])
    sound = ((trace[:, 0] | trace[:, 1]) != 0) & (span[:, 0] != 0)
    return pl.DataFrame(
        [
            pl.Series(name, column[sound], dtype=dtype)
            for (name, dtype), column in zip(RAW_LINK.items(), columns, strict=True)
        ]
    )


# --- attributes ----------------------------------------------------------------------------------------------------


def _key_set(keys: frozenset[str]) -> tuple[pa.Array, NDArray[Any]]:
    """The keys to keep, as the bytes they arrive as and as the numbers that ATTRIBUTE has for them."""
    ordered = sorted(keys)
    numbers = pl.Series(ordered, dtype=ATTRIBUTE["key"]).to_physical()
    return pa.array([key.encode() for key in ordered], pa.binary()), numbers.to_numpy()


_SPAN_KEYS = _key_set(KNOWN_SPAN_KEYS)
_RESOURCE_KEYS = _key_set(KNOWN_RESOURCE_KEYS)
_QUERY_TEXTS = _key_set(frozenset(QUERY_TEXT_KEYS))[1]


def _attributes(lists: pa.ListArray, keys: tuple[pa.Array, NDArray[Any]]) -> tuple[pl.DataFrame, Int64]:
    """ATTRIBUTE rows of the keys to keep, and the rows that hold text which is not UTF-8.

    Rows are grouped by the type of their value. Values of no scalar type (arrays, maps, bytes, none) are left out.
    """
    key_bytes, numbers = keys
    pairs, value = lists.values.field(0), lists.values.field(1)
    key_number = pc.fill_null(pc.index_in(pairs, value_set=key_bytes), -1).to_numpy()
    kept = np.flatnonzero(key_number >= 0)
    taken, texts = [], []
    for number in range(4):  # string, bool, int, double
        column = value.field(number)
        if column.null_count == len(column):
            continue
        here = kept[~_missing(column)[kept]]
        if len(here):
            member = column.take(pa.array(here))
            taken.append(here)
            texts.append(_text(member) if number == 0 else member.cast(pa.string()))
    if not taken:
        return ATTRIBUTE.to_frame(), np.empty(0, np.int64)
    position, text = np.concatenate(taken), pa.concat_arrays(texts)
    row = rows_of(lists)[position]
    meant = numbers[key_number[position]]
    key = pl.Series("key", meant).cat.to(ATTRIBUTE["key"])
    frame = pl.DataFrame([pl.Series("row", row, dtype=ATTRIBUTE["row"]), key, pl.Series("value", text)])
    if not text.null_count:
        return frame, np.empty(0, np.int64)
    # Exporters cut query texts at a number of bytes, within a character too; that is no reason to lose the span.
    misspelt = _missing(text)
    return frame.filter(~misspelt), row[misspelt & ~np.isin(meant, _QUERY_TEXTS)]
