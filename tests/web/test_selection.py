"""Query parameters become a period."""

import pytest

from tracelith.model.schema import WINDOW_NS
from tracelith.web.selection import BadSelection, select

DAY_NS = 86_400 * 10**9
KNOWN = (20_000 * DAY_NS, 20_070 * DAY_NS)


def test_by_default_the_26_weeks_before_the_end_of_the_data_are_shown():
    selection = select({}, KNOWN)

    assert (selection.environment, selection.end_ns) == (None, KNOWN[1])
    assert selection.start_ns == KNOWN[1] - 26 * 7 * DAY_NS
    assert selection.link("/tail") == "/tail"


def test_a_length_counts_back_from_the_end_and_stays_in_links():
    selection = select({"since": "7d", "environment": "pro duction&x"}, KNOWN)

    assert selection.end_ns - selection.start_ns == 7 * DAY_NS
    assert selection.link("/tail", service="a/b") == "/tail?service=a%2Fb&environment=pro+duction%26x&since=7d"


def test_all_begins_where_the_data_begins_and_stays_in_links():
    beyond_the_default = (KNOWN[1] - 300 * DAY_NS, KNOWN[1])

    selection = select({"since": "all"}, beyond_the_default)

    assert (selection.start_ns, selection.end_ns) == beyond_the_default
    assert selection.link("/tail") == "/tail?since=all"


def test_all_can_end_early_and_is_a_period_before_the_first_trace_too():
    until_day_20_010 = select({"since": "all", "until": "2024-10-14"}, KNOWN)
    of_nothing = select({"since": "all"}, None)

    assert (until_day_20_010.start_ns, until_day_20_010.end_ns) == (KNOWN[0], 20_010 * DAY_NS)
    assert of_nothing.end_ns - of_nothing.start_ns >= 26 * 7 * DAY_NS


def test_times_are_rounded_outwards_to_whole_windows():
    selection = select({"since": "2026-01-05T10:01:00", "until": "2026-01-05T12:03:00+01:00"}, KNOWN)

    assert selection.start_ns % WINDOW_NS == selection.end_ns % WINDOW_NS == 0
    assert selection.end_ns - selection.start_ns == (65 * 60) * 10**9


def test_the_environment_without_a_name_can_be_chosen():
    assert select({"environment": ""}, KNOWN).link("/") == "/?environment="


@pytest.mark.parametrize(
    "parameters",
    [
        {"since": "yesterday"},
        {"since": "0d"},
        {"until": "7d"},
        {"until": "all"},
        {"since": "all", "until": "2024-01-01"},
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_period_that_is_none_is_refused_with_what_was_expected(parameters):
    with pytest.raises(BadSelection, match="must"):
        select(parameters, KNOWN)
