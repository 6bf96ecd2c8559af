"""What is kept by the minute, and who counts as taken along."""

import polars as pl
import pytest

from analysis.failing import FELLED, FINE, RETRIED
from tracelith.analysis.failures.observing import observe_failures
from tracelith.analysis.failures.spreading import Victim, spreads_of
from tracelith.analysis.failures.stretches import Stretch, Troubles
from tracelith.analysis.failures.tables import FAILED_MINUTES, RETRIED_MINUTES
from tracelith.analysis.times import MINUTE_NS
from traces import view_of


def rows_of(table: str, odd: str, times: int) -> int:
    """Rows of a table of one minute with so many odd traces and 200 fine ones."""
    view = view_of("\n---\n".join(text.strip("\n") for text in [odd] * times + [FINE] * 200))
    return len(observe_failures(view)[table])


@pytest.mark.parametrize(("table", "odd"), [(FAILED_MINUTES.name, FELLED), (RETRIED_MINUTES.name, RETRIED)])
def test_minutes_in_which_one_request_in_a_hundred_fails_are_not_kept(table: str, odd: str) -> None:
    """Else such a service had a row for each minute of half a year."""
    assert rows_of(table, odd, 2) == 0
    assert rows_of(table, odd, 40) > 0


def outage(*, failures: int, own: int = 0) -> tuple[Victim, ...]:
    """Who went along with ``stock`` in ten minutes: shop, of whose 1,000 requests so many failed because of it."""
    stretch = Stretch("stock", "service", 0, 10 * MINUTE_NS, 300, 400)
    minutes = pl.DataFrame(
        {
            "origin": "stock",
            "service": ["", "shop", "shop"],
            "operation": "",
            "minute_ns": [MINUTE_NS, 2 * MINUTE_NS, 11 * MINUTE_NS],
            "failures": [300, failures, 900],
            "rank": "9" * 60,
        }
    )
    windows = {"window_ns": [0, 5 * MINUTE_NS], "node": "shop", "requests": 500, "own": [own, 0]}
    entries = {"window_ns": [0], "service": ["shop"], "operation": ["GET /"], "requests": [1_000]}
    troubles = Troubles({"stock": (stretch,)}, minutes, pl.DataFrame(windows))
    (spread,) = spreads_of(troubles, pl.DataFrame(entries), lambda _: {})
    return spread.victims


def test_a_service_that_loses_many_of_its_requests_was_taken_along() -> None:
    assert outage(failures=200) == (Victim("shop", 2 * MINUTE_NS, 1, 0.2),)


def test_a_service_that_loses_few_of_its_requests_is_not_accused_of_having_gone_along() -> None:
    assert outage(failures=40) == ()


def test_a_service_that_mostly_fails_on_its_own_account_is_not_accused_of_having_gone_along() -> None:
    assert outage(failures=200, own=250) == ()
