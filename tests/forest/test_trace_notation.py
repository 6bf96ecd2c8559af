"""The indented text that tests write traces in."""

import pytest

from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, Outcome
from traces import START_NS, trace_lo, window_of


def test_lines_become_rows_of_the_shared_columns() -> None:
    window = window_of("""
        shop   SERVER GET /checkout   0..90ms route=/checkout version=7
          shop   CLIENT price          10.5..40us !
    """)

    assert window.spans.schema == SPAN
    assert window.links.schema == LINK
    assert window.resources.schema == RESOURCE
    assert window.operations.schema == OPERATION
    assert window.spans["start_ns"].to_list() == [START_NS, START_NS + 10_500]
    assert window.spans["duration_ns"].to_list() == [90_000_000, 29_500]
    assert window.spans["parent_id"].to_list() == [0, 1]
    assert window.spans["outcome"].to_list() == [Outcome.FINE, Outcome.FAILED]
    assert window.operations["http_method"].to_list() == ["GET", ""]
    assert "7" in window.resources["version"].to_list()


def test_blank_lines_and_dashes_part_traces_and_copies_repeat_them() -> None:
    window = window_of("a SERVER x 0..1ms\n---\nb SERVER y 0..1ms", copies=2)

    assert window.spans["trace_lo"].to_list() == [trace_lo(0), trace_lo(1), trace_lo(0, 1), trace_lo(1, 1)]
    assert window.spans["start_ns"].to_list() == [START_NS, START_NS, START_NS + 100_000_000, START_NS + 100_000_000]


@pytest.mark.parametrize("line", ["a SERVER x", "a SERVER x 0..1ms colour=red"])
def test_a_line_that_cannot_be_read_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"expected an interval|unknown flag"):
        window_of(line)
