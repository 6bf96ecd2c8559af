"""Traces of unknown probability: when a sampler seems to have kept failed requests first, and when not."""

import polars as pl

from tracelith.analysis.failures.entries import availabilities
from tracelith.analysis.failures.sampled import kept_for_errors
from tracelith.analysis.failures.stretches import Stretch, Troubles
from tracelith.analysis.failures.tables import ENTRY_EDGES, ENTRY_OUTCOMES, FAILED, FAILED_NODES, FINE
from tracelith.analysis.times import MINUTE_NS
from tracelith.model.facts import FactTable
from tracelith.model.findings import State

WINDOW_NS = 5 * MINUTE_NS
BEGINS, ENDS = 144, 156
"""Windows of a day between which stock is in trouble."""


class Day:
    """Facts of one day: requests kept per window, and failed ones while stock is in trouble."""

    def __init__(self, *, usual: int, failed: int, fine: int, known: bool = False) -> None:
        bad = range(BEGINS, ENDS)
        kept = [(at, FINE, fine if at in bad else usual) for at in range(288)] + [(at, FAILED, failed) for at in bad]
        windows = pl.DataFrame(kept, schema=["window_ns", "outcome", "requests"], orient="row")
        self.rows = windows.with_columns(
            pl.col("window_ns") * WINDOW_NS,
            service=pl.lit("shop"),
            operation=pl.lit("GET /"),
            sampling_known=pl.lit(known),
            weight=pl.col("requests").cast(pl.Float64),
            weight_squares=pl.col("requests").cast(pl.Float64),
        )
        stretch = Stretch("stock", "service", BEGINS * WINDOW_NS, ENDS * WINDOW_NS, 12 * failed, 12 * failed)
        self.troubles = Troubles({"stock": (stretch,)}, pl.DataFrame(), pl.DataFrame())

    @property
    def blocks(self) -> pl.DataFrame:
        return self.rows.rename({"requests": "traces"})

    @property
    def reason(self) -> str:
        return kept_for_errors(self, self.blocks, self.troubles)

    def merged(self, table: FactTable) -> pl.DataFrame:
        assert table is ENTRY_EDGES
        return pl.DataFrame(schema=dict(table.keys) | dict(table.sums))

    def by_window(self, table: FactTable, block_ns: int | None = None) -> pl.DataFrame:
        if table is FAILED_NODES:
            return pl.DataFrame(schema={"window_ns": pl.Int64, **table.keys, **table.sums})
        assert (table, block_ns) == (ENTRY_OUTCOMES, None)
        return self.rows


def test_far_more_traces_while_much_fails_show_a_sampler_that_keeps_failed_ones() -> None:
    """One in seven of the others is kept: 10 a window instead of 70, of which 60 fail in the outage."""
    day = Day(usual=10, failed=60, fine=1)

    assert "ot=th" in day.reason
    (told,) = availabilities(day, day.blocks, WINDOW_NS, [], biased=day.reason)
    assert (told.availability.state, told.hidden.state) == (State.NOT_IDENTIFIABLE, State.NOT_IDENTIFIABLE)
    assert told.availability.value is None


def test_an_outage_whose_traces_are_all_received_is_not_accused_of_being_sampled() -> None:
    assert Day(usual=70, failed=60, fine=10).reason == ""


def test_callers_that_try_once_more_are_not_accused_of_being_sampled() -> None:
    assert Day(usual=70, failed=90, fine=10).reason == ""


def test_a_quiet_system_that_fails_for_an_hour_is_not_accused_of_being_sampled() -> None:
    assert Day(usual=0, failed=1, fine=0).reason == ""


def test_a_sampler_that_writes_its_probabilities_takes_no_number_away() -> None:
    assert Day(usual=10, failed=60, fine=1, known=True).reason == ""
