"""How numbers and untrusted text read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from document_parts import estimate, missing
from tracelith.present import text


@pytest.mark.parametrize(
    ("value", "ci", "unit", "shown"),
    [
        (0.83, [0.71, 0.93], "", "0.83 (95 %: 0.71–0.93)"),
        (0.71, [0.64, 0.78], "share", "71 % (95 %: 64–78 %)"),
        (-0.01, [-0.03, 0.02], "share", "−1 % (95 %: −3 to 2 %)"),
        (412.0, [330.0, 1520.0], "ms", "412 ms (95 %: 330 ms–1.52 s)"),
        (1.0, None, "hops", "1 hop"),
        (4.0, [4.0, 5.0], "hops", "4 hops (95 %: 4–5 hops)"),
        (None, [1.0, 2.0], "ms", "–"),
        (3.0, [1.0, 5.0], "retries", "3 retries (95 %: 1–5 retries)"),
    ],
)
def test_an_interval_names_its_unit_once_and_never_uses_a_dash_beside_a_minus(value, ci, unit, shown):
    assert text.interval(value, ci, unit) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (0.99996, "99.9 %"), (1.0, "100 %"), (1.5, "150 %"), (None, "–")],
)
def test_a_share_below_all_never_rounds_up_to_all(share, shown):
    assert text.percent(share) == shown


@pytest.mark.parametrize(
    ("ms", "shown"), [(0.0421, "0.0421 ms"), (92.0, "92 ms"), (1240.0, "1.24 s"), (150_000.0, "2.5 min"), (None, "–")]
)
def test_durations_come_in_the_unit_that_reads_best(ms, shown):
    assert text.milliseconds(ms) == shown


def test_missing_evidence_reads_as_missing_and_not_as_zero():
    assert text.estimate(missing("p99 needs 1,000 traces"), "ms") == "not enough data"
    assert text.estimate(None) == "–"
    assert text.estimate(estimate(0.0, 0.0, 0.1), "share") == "0 % (95 %: 0–10 %)"


def test_very_small_p_values_are_bounded_instead_of_rounded_to_zero():
    assert text.p_value(1e-9) == "< 0.0001"
    assert text.p_value(0.0421) == "0.042"


def test_times_are_told_in_utc_and_whole_days_without_a_clock():
    assert text.time("2026-03-02T07:00:00+01:00") == "2026-03-02 06:00 UTC"
    assert text.time("no time") == "no time"
    assert text.period({"start": "2026-01-05T00:00:00Z", "end": "2026-01-12T00:00:00Z"}) == (
        "2026-01-05 to 2026-01-12 (UTC, end not included)"
    )


def test_a_name_cannot_move_the_cursor_or_change_the_direction_of_writing():
    assert text.printable("pay\x1b[2J\u202egnp\u200b") == "pay\ufffd[2J\ufffdgnp\ufffd"


@given(st.text(), st.integers(3, 40))
def test_printable_text_is_one_short_line_whatever_came(untrusted, limit):
    shown = text.printable(untrusted, limit)

    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(1, 6))
def test_numbers_never_show_an_exponent(value, digits):
    assert "e" not in text.number(value, digits).lower()
