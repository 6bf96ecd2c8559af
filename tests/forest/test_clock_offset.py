"""Offsets between the clocks of two hosts, and what they do for the critical path."""

import numpy as np
import pytest

from forest.told import edges, segments
from tracelith.forest.clock_offset import ClockOffsets, HostCalls, clock_offsets
from traces import view_of

MS = 1_000_000


def offsets(*calls: tuple[float, float, float, float], **columns: list[int]) -> ClockOffsets:
    """Of calls told as client start, client end, server start, server end in milliseconds."""
    times = (np.array(calls) * MS).astype(np.int64)
    zeros = np.zeros(len(calls), np.int32)

    def column(name: str) -> np.ndarray:
        return np.array(columns[name], np.int32) if name in columns else zeros

    return clock_offsets(
        HostCalls(
            trace=column("trace"),
            caller_clock=column("caller_clock"),
            callee_clock=column("callee_clock") + 1,
            since_ns=times[:, 0] - times[:, 0].min(),
            client_start_ns=times[:, 0],
            client_ns=times[:, 1] - times[:, 0],
            server_start_ns=times[:, 2],
            server_ns=times[:, 3] - times[:, 2],
            answered=~column("gave_up").astype(np.bool_),
        )
    )


def test_1_4_offset_oracle() -> None:
    told = offsets((110, 150, 100, 120), (218, 245, 200, 220))  # allow 10..30 and 18..25

    assert (told.offset_ns / MS).tolist() == [21.5, 21.5]
    assert told.confident.all()


def test_1_4_calls_that_contradict_each_other_give_the_median_without_confidence() -> None:
    told = offsets((110, 130, 100, 110), (230, 250, 200, 210), (340, 360, 300, 310))  # 10..20, 30..40, 40..50

    assert (told.offset_ns / MS).tolist() == [35, 35, 35]
    assert not told.confident.any()


@pytest.mark.parametrize("column", ["trace", "caller_clock", "callee_clock"])
def test_1_4_calls_of_other_traces_and_hosts_say_nothing(column: str) -> None:
    told = offsets((110, 150, 100, 120), (218, 245, 200, 220), **{column: [0, 1]})

    assert (told.offset_ns / MS).tolist() == [20, 21.5]


def test_1_4_calls_of_another_minute_say_nothing() -> None:
    told = offsets((110, 150, 100, 120), (60_218, 60_245, 60_200, 60_220))

    assert (told.offset_ns / MS).tolist() == [20, 21.5]


def test_1_4_a_server_that_outlasts_its_client_by_more_than_a_hundredth_is_no_evidence() -> None:
    told = offsets((110, 150, 100, 120), (218, 245, 200, 220), (300, 400, 300, 400.9), (300, 400, 0, 102))

    assert not told.confident.any()  # a hundred milliseconds of work in a wait as long: 0 and nothing else
    assert (offsets((110, 150, 100, 120), (300, 400, 0, 102)).offset_ns / MS).tolist() == [20, 20]


def test_without_evidence_there_is_no_offset_and_no_confidence() -> None:
    told = offsets((110, 150, 100, 120), gave_up=[1])

    assert told.offset_ns.tolist() == [0]
    assert not told.confident.any()


def test_clocks_that_agree_as_they_are_are_left_alone() -> None:
    told = offsets((0, 40, 5, 10), (50, 90, 80, 85))

    assert told.offset_ns.tolist() == [0, 0]
    assert told.confident.all()


def test_no_calls_have_no_offsets() -> None:
    empty = np.empty(0, np.int64)
    codes = np.empty(0, np.int32)

    told = clock_offsets(HostCalls(codes, codes, codes, empty, empty, empty, empty, empty, np.empty(0, np.bool_)))

    assert told.offset_ns.size == told.confident.size == 0


THREE_ATTEMPTS = """
    shop   SERVER checkout   0..120ms
      shop   CLIENT price      10..110ms
        price  SERVER first      {0}..{1}ms
        price  SERVER second     {2}..{3}ms
        price  SERVER third      {4}..{5}ms
"""


@pytest.mark.parametrize("ahead", [-500, -40, 0, 40, 500])
def test_1_4_servers_behind_a_skewed_clock_keep_their_order(ahead: int) -> None:
    true_times = (15, 25, 40, 60, 70, 105)

    view = view_of(THREE_ATTEMPTS.format(*(time + ahead for time in true_times)))

    # Each centred in the client alone, all three would lie on top of each other and two would wait for nothing.
    told = [(name, high - low) for name, low, high in segments(view) if name not in ("checkout", "price")]
    assert told == [("first", 10), ("second", 20), ("third", 35)]


def test_1_4_a_call_that_seems_to_fit_is_moved_with_the_others_between_the_hosts() -> None:
    view = view_of("""
        shop   SERVER checkout   0..200ms
          shop   CLIENT price      10..50ms
            price  SERVER one        32..48ms
          shop   CLIENT price      60..100ms
            price  SERVER two        86..114ms
    """)

    # By the first call the clock is 2 ms behind to 22 ms ahead, by the second 14 to 26 ahead: 18.
    assert ("one", 14, 30) in segments(view)
    assert ("two", 68, 96) in segments(view)


def test_1_4_where_calls_contradict_only_what_sticks_out_is_moved() -> None:
    view = view_of("""
        shop   SERVER checkout   0..200ms
          shop   CLIENT price      10..50ms
            price  SERVER one        11..49ms
          shop   CLIENT price      60..100ms
            price  SERVER two        80..110ms
    """)

    assert ("one", 11, 49) in segments(view)
    assert ("two", 65, 95) in segments(view)


def test_1_4_a_server_that_went_on_after_its_client_gave_up_is_placed_by_the_other_calls() -> None:
    view = view_of("""
        shop   SERVER checkout   0..200ms
          shop   CLIENT price      10..50ms
            price  SERVER one        110..150ms
          shop   CLIENT price      60..100ms !
            price  SERVER two        170..400ms
    """)

    assert ("two", 70, 100) in segments(view)


def test_1_4_offsets_do_not_depend_on_traces_read_together() -> None:
    skewed = THREE_ATTEMPTS.format(515, 525, 540, 560, 570, 605)
    otherwise = THREE_ATTEMPTS.format(-85, -75, -60, -40, -30, 5)

    together = segments(view_of(f"{skewed}\n\n{otherwise}"))

    assert together == segments(view_of(skewed)) + segments(view_of(otherwise))


# --- the road not taken -------------------------------------------------------------------------------------------


def jaeger_shift(parent: tuple[int, int], child: tuple[int, int]) -> int:
    """By how much Jaeger moves a child on another host; both told as start and duration (metrics.md §1.4)."""
    (parent_start, parent_took), (start, took) = parent, child
    if took > parent_took:
        return max(parent_start - start, 0)
    if parent_start <= start and start + took <= parent_start + parent_took:
        return 0
    return parent_start + (parent_took - took) // 2 - start


@pytest.mark.parametrize(("child", "shift"), [((90, 30), 20), ((105, 30), 0), ((90, 60), 10), ((200, 30), -90)])
def test_1_4_jaeger_adjuster_oracle(child: tuple[int, int], shift: int) -> None:
    assert jaeger_shift((100, 50), child) == shift


def test_1_4_moving_spans_before_calls_are_judged_would_turn_late_work_into_waiting() -> None:
    trace = """
        shop   SERVER checkout   100..150ms
          mail   SERVER send       {0}..{1}ms
    """
    moved = 200 + jaeger_shift((100, 50), (200, 30))

    assert edges(view_of(trace.format(200, 230))) == [("shop", "mail", "unknown")]
    assert edges(view_of(trace.format(moved, moved + 30))) == [("shop", "mail", "sync")]
