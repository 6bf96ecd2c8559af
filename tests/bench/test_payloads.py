"""Batches of load are what a fleet would send: valid, of the time asked for, and never the same twice."""

from collections import Counter

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelith.bench.payloads import Batch, BatchMaker, build_template
from tracelith.model.schema import WINDOW_NS

BUILT_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def spans_of(batch: Batch) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(batch.body)
    return [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


def test_every_batch_moves_to_the_time_asked_for_earlier_or_later_and_keeps_durations() -> None:
    maker = BatchMaker(build_template(64, start_ns=BUILT_NS))
    durations = []

    for start_ns in (BUILT_NS - 90 * SECOND_NS, BUILT_NS + 3600 * SECOND_NS):
        spans = spans_of(maker.make(start_ns))

        assert min(span.start_time_unix_nano for span in spans) == start_ns
        assert max(span.start_time_unix_nano for span in spans) == start_ns + maker.spread_ns
        durations.append([span.end_time_unix_nano - span.start_time_unix_nano for span in spans])

    assert durations[0] == durations[1]
    assert min(durations[0]) > 0


def test_ids_never_repeat_and_parents_stay_with_their_children() -> None:
    maker = BatchMaker(build_template(256, start_ns=BUILT_NS))

    spans = [span for _ in range(50) for span in spans_of(maker.make(BUILT_NS))]

    by_id = {(span.trace_id, span.span_id): span for span in spans}
    assert len(by_id) == len(spans) == 50 * 256
    assert len({span.trace_id for span in spans}) == 50 * 256 // 8
    assert all((span.trace_id, span.parent_span_id) in by_id for span in spans if span.parent_span_id)
    assert sum(not span.parent_span_id for span in spans) == len(spans) // 8


def test_trace_ids_look_random_in_every_byte() -> None:
    maker = BatchMaker(build_template(512, start_ns=BUILT_NS))

    ids = {span.trace_id for _ in range(40) for span in spans_of(maker.make(BUILT_NS))}

    for position in range(16):
        counts = Counter(id_[position] for id_ in ids)
        assert len(counts) > 200  # of 256 values, with 2,560 ids
        assert max(counts.values()) < 60


def test_spans_are_counted_by_the_window_they_start_in_also_across_its_end() -> None:
    maker = BatchMaker(build_template(512, start_ns=BUILT_NS, trace_spacing_ns=SECOND_NS))
    boundary_ns = BUILT_NS // WINDOW_NS * WINDOW_NS + WINDOW_NS

    for before_s in (0, 20, 63, 64, 200):
        batch = maker.make(boundary_ns - before_s * SECOND_NS)

        expected = Counter(span.start_time_unix_nano // WINDOW_NS * WINDOW_NS for span in spans_of(batch))
        assert Counter(dict(batch.spans_by_window)) == expected
