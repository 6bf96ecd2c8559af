"""Own time: what no child of a span covers."""

import numpy as np
import pytest

from tracelith.analysis.own_time import own_time_ns, request_own_time_ns
from traces import view_of


def own_ms(text: str) -> list[float]:
    view = view_of(text)
    return [float(value) / 1e6 for value in own_time_ns(view)]


def request_ms(text: str) -> list[float]:
    view = view_of(text)
    total = request_own_time_ns(view) / 1e6
    return [float(total[span]) for span in np.unique(view.calls.span_request)]


def test_a_span_without_children_is_all_its_own() -> None:
    assert own_ms("shop SERVER GET / 0..90ms") == [90]


def test_children_that_overlap_are_counted_once() -> None:
    assert own_ms("""
        shop SERVER GET / 0..100ms
          shop CLIENT a 10..40ms peer=a.example:443
          shop CLIENT b 30..60ms peer=b.example:443
          shop CLIENT c 35..50ms peer=c.example:443
          shop CLIENT d 80..90ms peer=d.example:443
    """) == [40, 30, 30, 15, 10]


def test_each_trace_has_a_time_of_its_own() -> None:
    assert own_ms("""
        shop SERVER GET / 0..100ms
          shop CLIENT a 10..40ms peer=a.example:443

        shop SERVER GET / 5..25ms
          shop CLIENT a 6..21ms peer=a.example:443
    """) == [70, 30, 5, 15]


def test_a_message_is_waited_for_only_until_it_is_published() -> None:
    assert own_ms("""
        shop SERVER GET / 0..100ms
          shop PRODUCER orders 10..15ms mq=kafka object=orders
            mailer CONSUMER orders 11..90ms mq=kafka object=orders
    """)[:2] == [95, 5]


def test_work_that_outlives_its_request_does_not_count() -> None:
    assert own_ms("""
        shop SERVER GET / 0..100ms
          shop INTERNAL clean 50..400ms
    """) == [100, 350]


def test_a_child_on_a_clock_that_is_behind_is_moved_inside() -> None:
    assert own_ms("""
        shop SERVER GET / 0..100ms host=a
          price SERVER GET /p -30..30ms host=b
    """) == [60, 40]  # in order of their start


def test_a_child_as_long_as_its_parent_leaves_nothing() -> None:
    assert own_ms("""
        shop SERVER GET / 0..100ms
          price SERVER GET /p 0.4..100.4ms
    """) == [0, 100]


def test_work_in_spans_of_its_own_is_work_of_the_service() -> None:
    text = """
        shop SERVER GET / 0..100ms
          shop INTERNAL render 10..90ms
            shop CLIENT price 20..50ms
              price SERVER GET /p 25..45ms
    """

    assert request_ms(text) == [70, 20]


def test_spans_without_kinds_that_name_a_peer_are_calls() -> None:
    text = """
        shop GET / 0..100ms
          shop select 20..50ms db=postgresql object=orders
    """

    assert request_ms(text) == [70]


def test_no_spans_have_no_time() -> None:
    view = view_of("shop SERVER GET / 0..0ms")

    assert own_time_ns(view).tolist() == [0]


@pytest.mark.parametrize("seed", range(20))
def test_own_time_is_what_marking_every_millisecond_leaves(seed: int) -> None:
    random = np.random.default_rng(seed)
    lines, expected = ["shop SERVER GET / 0..60ms"], np.ones(60, bool)
    for child in range(int(random.integers(0, 12))):
        begin = int(random.integers(0, 59))
        end = int(random.integers(begin, 60))
        lines.append(f"  shop CLIENT call{child} {begin}..{end}ms peer=p{child}.example:443")
        expected[begin:end] = False

    assert own_ms("\n".join(lines))[0] == expected.sum()
