"""Spans of impossible times cost only themselves."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.otlp_requests import START_NS, make_request, make_span
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.kept_times import DAY_NS, TOO_EARLY, TOO_LATE, KeptTimes, kept_times, refuse_other_times
from tracelith.model.schema import Rejection

YEAR_NS = 365 * DAY_NS
TIMES = KeptTimes(START_NS - 400 * DAY_NS, START_NS + DAY_NS)


def _started(start_ns: int, **fields: object) -> object:
    return make_span(
        {"http.route": f"/{start_ns}"}, start_time_unix_nano=start_ns, end_time_unix_nano=start_ns, **fields
    )


def test_each_span_of_another_time_is_refused_with_its_reason_and_the_others_stay() -> None:
    starts = [1, START_NS, START_NS + 174 * YEAR_NS, START_NS + 5, START_NS + 2 * DAY_NS]
    requests = [make_request(*map(_started, starts)), make_request(_started(START_NS)), make_request(_started(2))]

    checked = refuse_other_times(decode_requests(requests), TIMES)

    assert [(verdict.accepted, verdict.rejected) for verdict in checked.verdicts] == [(2, 3), (1, 0), (0, 1)]
    assert checked.verdicts[0].reason == f"3 spans refused: {TOO_EARLY} (1), {TOO_LATE} (2)"
    assert checked.verdicts[1].reason == ""
    assert checked.verdicts[2].reason == f"1 span refused: {TOO_EARLY} (1)"
    assert checked.raw.rejections == (Rejection(TOO_EARLY, 2), Rejection(TOO_LATE, 2))
    assert checked.raw.spans["start_ns"].to_list() == [START_NS, START_NS + 5, START_NS]
    assert checked.raw.span_attributes.sort("row").select("row", "value").rows() == [
        (0, f"/{START_NS}"),
        (1, f"/{START_NS + 5}"),
        (2, f"/{START_NS}"),
    ]


def test_a_request_with_other_defects_names_all_of_them() -> None:
    requests = [make_request(_started(1), make_span(span_id=b""), make_span())]

    verdict = refuse_other_times(decode_requests(requests), TIMES).verdicts[0]

    assert (verdict.accepted, verdict.rejected) == (1, 2)
    assert "span_id must be" in verdict.reason
    assert TOO_EARLY in verdict.reason


@pytest.mark.parametrize("start_ns", [START_NS - 364 * DAY_NS, START_NS - 400 * DAY_NS, START_NS + 14 * 3_600 * 10**9])
def test_last_years_files_and_wrong_time_zones_are_taken(start_ns: int) -> None:
    decoded = decode_requests([make_request(_started(start_ns))])

    assert refuse_other_times(decoded, TIMES) is decoded


def test_a_span_of_hours_or_with_an_end_in_2200_is_taken() -> None:
    long = make_span(start_time_unix_nano=START_NS, end_time_unix_nano=START_NS + 174 * YEAR_NS)
    decoded = decode_requests([make_request(long)])

    assert refuse_other_times(decoded, TIMES) is decoded


@pytest.mark.parametrize("leap_ns", [30 * YEAR_NS, -56 * YEAR_NS, 2 * DAY_NS, -2 * DAY_NS])
def test_a_leap_of_the_servers_clock_refuses_no_sound_span(leap_ns: int) -> None:
    now_ns = START_NS + YEAR_NS
    wall, steady = [now_ns, now_ns + leap_ns + 5], [70, 75]
    times = kept_times(400.0, lambda: wall.pop(0), lambda: steady.pop(0))

    after = times()

    assert after.earliest_ns <= now_ns - 399 * DAY_NS
    assert after.latest_ns >= now_ns + DAY_NS


def test_times_move_with_the_clock() -> None:
    now_ns = START_NS + YEAR_NS
    wall, steady = [now_ns, now_ns + DAY_NS], [0, DAY_NS]
    times = kept_times(400.0, lambda: wall.pop(0), lambda: steady.pop(0))

    assert times() == KeptTimes(now_ns - 399 * DAY_NS, now_ns + 2 * DAY_NS)


def test_a_machine_that_starts_in_1970_takes_what_others_send_today() -> None:
    times = kept_times(400.0, lambda: 5, lambda: 5)

    assert times().latest_ns > START_NS + 50 * YEAR_NS


@given(st.lists(st.lists(st.integers(0, 20), max_size=6), max_size=5), st.integers(0, 20), st.integers(0, 20))
def test_accepted_and_refused_spans_add_up_to_those_sent(requests: list[list[int]], earliest: int, days: int) -> None:
    latest = earliest + days
    bodies = [make_request(*(_started(START_NS + offset) for offset in offsets)) for offsets in requests]

    checked = refuse_other_times(decode_requests(bodies), KeptTimes(START_NS + earliest, START_NS + latest))

    assert [verdict.accepted + verdict.rejected for verdict in checked.verdicts] == list(map(len, requests))
    assert checked.raw.spans.height == sum(verdict.accepted for verdict in checked.verdicts)
    assert sum(rejection.spans for rejection in checked.raw.rejections) == sum(v.rejected for v in checked.verdicts)
    assert checked.raw.spans.filter(~pl.col("start_ns").is_between(START_NS + earliest, START_NS + latest)).is_empty()
