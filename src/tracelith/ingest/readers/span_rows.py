"""Collects spans one by one into RawSpans, for formats that need a look at every span to know what it says."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tracelith.ingest.detail_messages import Detail, Event, Pairs, encode_details, encode_resource
from tracelith.ingest.details import detail_rows
from tracelith.ingest.raw_columns import (
    MAX_TIME_NS,
    SPAN_ID_DIGITS,
    TRACE_ID_DIGITS,
    build_attributes,
    build_links,
    build_spans,
    empty_raw_spans,
    ids_from_hex,
)
from tracelith.ingest.readers.batch import Decoded, Problem
from tracelith.model.schema import RAW_SPAN, RawSpans, Rejection

__all__ = ["SpanRows"]

_PROBLEMS_LOCATED = 20  # per batch; a file broken throughout says so once more with the count, not a million times
_ID_COLUMNS = frozenset({"trace_hi", "trace_lo", "span_id", "parent_id"})
_NO_ID = "0" * SPAN_ID_DIGITS
_NO_DETAIL = Detail(b"", 0)


class SpanRows:
    """Spans, resources, links and refusals of one batch while it is being read.

    Ids are hexadecimal text of full length (see pad_id); the empty text stands for no parent. What is only told for the
    details (``told``, ``events``) is not looked at unless attributes are kept.
    """

    def __init__(self, *, keep_attributes: bool = False) -> None:
        self._keep_attributes = keep_attributes
        self._details: list[Detail] = []
        self._resource_details: list[Detail] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in RAW_SPAN if name not in _ID_COLUMNS}
        self._trace_ids: list[str] = []
        self._span_ids: list[str] = []
        self._parent_ids: list[str] = []
        self._attributes: tuple[list[int], list[str], list[str]] = ([], [], [])
        self._links: tuple[list[int], list[str], list[str]] = ([], [], [])
        self._resources: dict[tuple[tuple[tuple[str, str], ...], bytes], int] = {}
        self._refused: Counter[str] = Counter()
        self._problems: list[Problem] = []

    def refuse(self, where: str, reason: str) -> None:
        """Counts a span that cannot be taken."""
        self._refused[reason] += 1
        self.note(where, reason)

    def note(self, where: str, text: str) -> None:
        """Remembers a problem that costs no span."""
        self._problems.append(Problem(where, text))

    def resource(self, attributes: Mapping[str, str], told: Pairs = ()) -> int:
        """The row of a resource with exactly these attributes, and exactly all that is told if that is kept."""
        detail = encode_resource(told) if self._keep_attributes else _NO_DETAIL
        key = (tuple(sorted(attributes.items())), detail.body)
        if key not in self._resources:
            self._resources[key] = len(self._resources)
            self._resource_details.append(detail)
        return self._resources[key]

    def add(
        self,
        where: str,
        *,
        ids: tuple[str, str, str],
        start_ns: int,
        end_ns: int,
        name: str,
        kind: int,
        status: int,
        resource_row: int,
        attributes: Mapping[str, str],
        scope: str = "",
        trace_state: str = "",
        told: Pairs = (),
        events: Iterable[Event] = (),
    ) -> int | None:
        """Adds a span with (trace, span, parent) ids and returns its row; None if its times had to be refused.

        Args:
            attributes: those with a known key. told, events: all that the span says.
        """
        if not (0 <= start_ns <= MAX_TIME_NS and 0 <= end_ns <= MAX_TIME_NS):
            self.refuse(where, "the span lies outside the years 1970 to 2262; are its times in microseconds?")
            return None
        row = len(self._trace_ids)
        for ids_so_far, value in zip((self._trace_ids, self._span_ids, self._parent_ids), ids, strict=True):
            ids_so_far.append(value or _NO_ID)
        values = (start_ns, end_ns, name, kind, status, trace_state, 0, scope, resource_row)
        for column, cell in zip(self._columns.values(), values, strict=True):
            column.append(cell)
        if self._keep_attributes:
            self._details.append(encode_details(told, events=events))
        rows, keys, texts = self._attributes
        for key, text in attributes.items():
            rows.append(row)
            keys.append(key)
            texts.append(text)
        return row

    def link(self, row: int, trace_id: str, span_id: str) -> None:
        """Links the span of a row to another one."""
        rows, trace_ids, span_ids = self._links
        rows.append(row)
        trace_ids.append(trace_id)
        span_ids.append(span_id)

    def finish(self) -> Decoded:
        """The batch."""
        rejections = tuple(Rejection(reason, count) for reason, count in self._refused.most_common())
        raw = self._raw_spans(rejections) if self._trace_ids else empty_raw_spans(rejections)
        problems = self._problems[:_PROBLEMS_LOCATED]
        if (more := len(self._problems) - len(problems)) > 0:
            problems.append(Problem("", f"{more} further records with problems like these"))
        return Decoded(raw, tuple(problems))

    def _raw_spans(self, rejections: tuple[Rejection, ...]) -> RawSpans:
        traces = ids_from_hex(self._trace_ids, TRACE_ID_DIGITS)
        spans = ids_from_hex(self._span_ids, SPAN_ID_DIGITS)
        parents = ids_from_hex(self._parent_ids, SPAN_ID_DIGITS)
        links = build_links(*self._links)
        if traces is None or spans is None or parents is None or links is None:
            raise AssertionError("ids are padded and checked before they are added")
        ids = {"trace_hi": traces[:, 0], "trace_lo": traces[:, 1], "span_id": spans[:, 0], "parent_id": parents[:, 0]}
        resource_attributes = [
            (row, key, text) for (key_texts, _), row in self._resources.items() for key, text in key_texts
        ]
        about = [self._resource_details[row] for row in self._columns["resource_row"]]
        return RawSpans(
            spans=build_spans({**self._columns, **ids}),
            span_attributes=build_attributes(*self._attributes),
            resource_count=len(self._resources),
            resource_attributes=build_attributes(
                [row for row, _, _ in resource_attributes],
                [key for _, key, _ in resource_attributes],
                [text for _, _, text in resource_attributes],
            ),
            links=links,
            rejections=rejections,
            details=detail_rows(self._details, about) if self._keep_attributes else None,
        )
