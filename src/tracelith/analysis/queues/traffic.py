"""Facts about destinations: who sends to them, who takes from them, and how long messages wait."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelith.analysis.exemplars import SLOT_KEY, slowest_rows
from tracelith.analysis.numbered import numbered
from tracelith.analysis.queues.messages import Messages, Takings, messages_of
from tracelith.analysis.statistics.grouping import groups_of
from tracelith.analysis.statistics.histograms import bucket_of, coarse
from tracelith.analysis.strata import fact_rows
from tracelith.analysis.trace_strata import trace_strata
from tracelith.forest.view import Bool, ForestView, Int32, Int64
from tracelith.model.facts import FactTable

__all__ = [
    "BACKWARDS",
    "GROUP_KEYS",
    "LAG_FACTOR",
    "LATE_NS",
    "PLACE_KEYS",
    "QUEUE_EXEMPLARS",
    "QUEUE_MEMBERS",
    "QUEUE_SENT",
    "QUEUE_TAKEN",
    "UNKNOWN",
    "group_texts",
    "is_late",
    "lag_ns",
    "observe_traffic",
    "place_texts",
    "placed",
    "taken_keys",
]

PLACE_KEYS: Mapping[str, type[pl.DataType]] = {"system": pl.String, "destination": pl.String}
GROUP_KEYS: Mapping[str, type[pl.DataType]] = {**PLACE_KEYS, "group": pl.String}

LAG_FACTOR = 4
"""Buckets of lags are four fine ones wide (8 %)."""

BACKWARDS, UNKNOWN = -2, -3
"""In place of a bucket: taken before it was sent, which two clocks can say; and nothing is known."""

LATE_NS = 10_000_000_000
"""A message that waits longer is late: brokers give a silent consumer ten seconds at least (session.timeout.ms of older
Kafka clients) before they share out its partitions anew."""

_ACKNOWLEDGED_NS = 5_000_000
"""A consumer may be faster than the broker's acknowledgement to the producer: so much before it is no lag at all."""

QUEUE_SENT = FactTable("queue_sent", keys={**PLACE_KEYS, "service": pl.String}, sums={"messages": pl.Int64})
"""Messages sent."""

QUEUE_TAKEN = FactTable(
    "queue_taken",
    keys={**GROUP_KEYS, "service": pl.String, "lag_bucket": pl.Int32},
    sums={"messages": pl.Int64},
)
"""Messages taken, by how long they had waited."""

QUEUE_MEMBERS = FactTable(
    "queue_members",
    keys={**GROUP_KEYS, "service": pl.String, "instance": pl.String},
    sums={"messages": pl.Int64, "late": pl.Int64},
    minima={"first_ns": pl.Int64},
    maxima={"last_ns": pl.Int64},
)
"""Which instances take messages, how many of them late ones, and when they took the first and the last."""

QUEUE_EXEMPLARS = FactTable(
    "queue_exemplars",
    keys={**GROUP_KEYS, "service": pl.String, SLOT_KEY: pl.Int8},
    sums={},
    maxima={"rank": pl.String},
)
"""Traces in which messages waited longest, see exemplars."""


def observe_traffic(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts of all tables, by table name."""
    messages = view.once(messages_of)
    return {
        QUEUE_SENT.name: _sent(view, messages),
        QUEUE_TAKEN.name: _taken(view, messages),
        QUEUE_MEMBERS.name: _members(view, messages),
        QUEUE_EXEMPLARS.name: _exemplars(view, messages),
    }


def lag_ns(sent_ns: Int64, taken_ns: Int64) -> Int64:
    """How long messages waited; negative where two clocks say so."""
    waited = taken_ns - sent_ns
    return np.where((waited < 0) & (waited >= -_ACKNOWLEDGED_NS), 0, waited)


def is_late(sent_ns: Int64, taken_ns: Int64) -> Bool:
    """Which messages are known to have waited for LATE_NS."""
    late: Bool = (sent_ns >= 0) & (taken_ns - sent_ns >= LATE_NS)
    return late


def place_texts(messages: Messages) -> dict[str, tuple[str, ...]]:
    """Names for the columns system and destination of fact rows, both of which hold places."""
    return {"system": messages.places.systems, "destination": messages.places.destinations}


def group_texts(messages: Messages) -> dict[str, tuple[str, ...]]:
    """Names for the columns system, destination and group of fact rows."""
    return {**place_texts(messages), "group": messages.places.groups}


def placed(view: ForestView, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the window and environment of their stratum, and their ``place`` as system and destination."""
    places = [rows["place"].alias(name) for name in PLACE_KEYS]
    return view.once(trace_strata).placed(rows.hstack(places))


def taken_keys(view: ForestView, taken: Takings) -> dict[str, Int32]:
    """What every message taken is counted by: stratum, place and group."""
    stratum = view.once(trace_strata).stratum[view.forest.trace[taken.span]]
    return {"stratum": stratum, "place": taken.place, "group": taken.group}


def _sent(view: ForestView, messages: Messages) -> pl.DataFrame:
    sent = messages.sent
    stratum = view.once(trace_strata).stratum[view.forest.trace[sent.span]]
    rows = groups_of({"stratum": stratum, "place": sent.place, "service": sent.service}).frame("messages")
    return fact_rows(QUEUE_SENT, placed(view, rows), view, **place_texts(messages), service=view.forest.services)


def _taken(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken = messages.taken
    lag = lag_ns(taken.sent_ns, taken.taken_ns)
    bucket = np.where(lag < 0, BACKWARDS, coarse(bucket_of(np.maximum(lag, 0)), LAG_FACTOR))
    keys = taken_keys(view, taken) | {"service": taken.service}
    rows = groups_of({**keys, "lag_bucket": np.where(taken.sent_ns < 0, UNKNOWN, bucket)}).frame("messages")
    return fact_rows(QUEUE_TAKEN, placed(view, rows), view, **group_texts(messages), service=view.forest.services)


def _members(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken, forest = messages.taken, view.forest
    names, instance = numbered(forest.resources["instance"].to_list())
    keys = taken_keys(view, taken) | {"service": taken.service}
    members = groups_of({**keys, "instance": instance[forest.resource[taken.span]]})
    rows = members.frame("messages", late=is_late(taken.sent_ns, taken.taken_ns).astype(np.int64))
    first_ns = pl.Series("first_ns", members.smallest(taken.taken_ns))
    last_ns = pl.Series("last_ns", members.largest(taken.taken_ns))
    texts = {**group_texts(messages), "service": forest.services, "instance": names}
    return fact_rows(QUEUE_MEMBERS, placed(view, rows.hstack([first_ns, last_ns])), view, **texts)


def _exemplars(view: ForestView, messages: Messages) -> pl.DataFrame:
    taken = messages.taken
    lag = lag_ns(taken.sent_ns, taken.taken_ns)
    keys = taken_keys(view, taken) | {"service": taken.service}
    known = np.flatnonzero((taken.sent_ns >= 0) & (lag >= 0))
    rows = pl.DataFrame({**keys, "trace": view.forest.trace[taken.span], "duration_ns": lag})[known]
    slowest = placed(view, slowest_rows(view, rows, list(keys)))
    return fact_rows(QUEUE_EXEMPLARS, slowest, view, **group_texts(messages), service=view.forest.services)
