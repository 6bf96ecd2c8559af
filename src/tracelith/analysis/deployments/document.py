"""The "codeployment" section of the analysis document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelith.analysis.deployments.cochange import Sessions, co_change
from tracelith.analysis.deployments.coincidence import ALPHA, DELTA_NS, DeploymentLog
from tracelith.analysis.deployments.curveball import curveball_p_values
from tracelith.analysis.deployments.events import DeploymentEvents
from tracelith.analysis.deployments.lead_lag import LeadLag, lead_lag, matched
from tracelith.analysis.deployments.lockstep import Lockstep, Train
from tracelith.analysis.deployments.pair_search import (
    FEWEST_SERVICES,
    MINIMUM_PER_SERVICE,
    MINIMUM_WEEKS,
    PairSearch,
    widest_windows,
)
from tracelith.analysis.statistics.bootstrap import generator
from tracelith.analysis.statistics.intervals import proportion, wilson
from tracelith.analysis.times import MINUTE_NS
from tracelith.model.document import CodeploymentDocument, PairDocument
from tracelith.model.findings import Estimate, State

__all__ = [
    "MOST_PAIRS",
    "Codeployment",
    "codeployment_document",
    "hour_of_week",
    "iso_time",
    "lone_pairs",
    "unknown_document",
]

MOST_PAIRS = 500
MOST_DEPLOYMENTS = 10_000
"""The document lists the strongest pairs and the latest deployments; the counts cover all."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Codeployment:
    """Everything concluded about one environment.

    Attributes:
        events: deployments found. log: those in the last whole weeks, which the statistics use.
        sessions, lockstep, train, search: results on the log.
    """

    events: DeploymentEvents
    log: DeploymentLog
    sessions: Sessions
    lockstep: Lockstep
    train: Train
    search: PairSearch


@dataclass(frozen=True, slots=True)
class _Extras:
    """What only coupled pairs get: a second opinion, the widest window and the order."""

    p_value: float
    window: str
    order: LeadLag


def unknown_document(reason: str) -> dict[str, Any]:
    """The section when nothing could be concluded, and why."""
    unknown = Estimate(None, state=State.INSUFFICIENT_DATA, reason=reason)
    system = {
        **dict.fromkeys(("deployments", "services", "weeks", "window_minutes"), 0),
        "solo_rate": unknown.document(),
        "expected_solo_rate": None,
        "lockstep_excess": unknown.document(),
        "lockstep_index": None,
        "train": dict.fromkeys(("median_batch", "largest_batch", "top_hour_share", "top_hour")) | {"sessions": 0},
        "status": str(unknown.state),
        "reason": reason,
    }
    return {"system": system, **{part: [] for part in ("services", "pairs", "groups", "deployments", "ignored")}}


def codeployment_document(result: Codeployment) -> CodeploymentDocument:
    """The section, strongest pairs and latest deployments first where lists are cut."""
    pairs = _pairs(result)
    return {
        "system": _system(result, len(pairs)),
        "services": _services(result),
        "pairs": pairs,
        "groups": _groups(result),
        "deployments": _timeline(result.events.events),
        "ignored": result.events.ignored.to_dicts(),
    }


def iso_time(moment_ns: int) -> str:
    """A moment as ISO 8601 UTC, to the second."""
    return datetime.fromtimestamp(moment_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_of_week(hour: int) -> str:
    """Hour 34 of the week is "Tuesday 10:00" (UTC)."""
    return f"{DAYS[hour // 24]} {hour % 24:02d}:00"


def _system(result: Codeployment, listed: int) -> dict[str, Any]:
    lockstep, train, log = result.lockstep, result.train, result.log
    return {
        "deployments": len(log.at_ns),
        "services": len(log.services),
        "weeks": log.weeks,
        "window_minutes": DELTA_NS // MINUTE_NS,
        "start": iso_time(log.start_ns),
        "end": iso_time(log.start_ns + log.length_ns),
        "solo_rate": lockstep.solo_rate.document(),
        "expected_solo_rate": _rounded(lockstep.expected_solo_rate),
        "lockstep_excess": lockstep.excess.document(),
        "lockstep_index": _rounded(lockstep.index),
        "train": {
            "sessions": train.sessions,
            "median_batch": train.median_batch,
            "largest_batch": train.largest_batch,
            "top_hour_share": _rounded(train.top_hour_share),
            "top_hour": None if train.top_hour is None else hour_of_week(train.top_hour),
        },
        "pairs": {
            "possible": len(result.search.tested),
            "tested": int(result.search.tested.sum()),
            "coupled": int(result.search.coupled.sum()),
            "listed": listed,
        },
        "status": str(lockstep.state),
        "reason": lockstep.reason,
    }


def _services(result: Codeployment) -> list[dict[str, Any]]:
    log, lockstep = result.log, result.lockstep
    last = log.at_ns[log.first[1:] - 1] + log.start_ns
    search = result.search
    ends = np.concatenate([side[search.tested] for side in (search.tests.a, search.tests.b)])
    tested_with = np.bincount(ends, minlength=len(log.services))
    return [
        {
            "service": name,
            "deployments": int(count),
            "solo_rate": proportion(
                int(alone),
                int(count),
                minimum=MINIMUM_PER_SERVICE,
                reason=f"needs {MINIMUM_PER_SERVICE} deployments, seen {count}",
            ).document(),
            "expected_solo_rate": _rounded(float(expected)),
            "last_at": iso_time(int(at)),
            "tested_with": int(others),
        }
        for name, count, alone, expected, at, others in zip(
            log.services, log.counts, lockstep.alone, lockstep.expected, last, tested_with, strict=True
        )
    ]


def _pairs(result: Codeployment) -> list[PairDocument]:
    """The strongest pairs: coupled ones by excess_low, then tested ones, then the rest."""
    search = result.search
    strength = np.where(search.tested, search.tests.excess_low, -np.inf)
    order = np.lexsort((search.tests.b, search.tests.a, -strength, ~search.tested, ~search.coupled))[:MOST_PAIRS]
    extras = _extras(result, order[search.coupled[order]])
    labels = search.labels
    together = result.sessions.incidence.astype(np.int64)
    return [_pair(result, int(place), labels[place], extras.get(int(place)), together) for place in order]


def _pair(
    result: Codeployment, place: int, label: str, extras: _Extras | None, incidence: NDArray[np.int64]
) -> PairDocument:
    search, tests, log = result.search, result.search.tests, result.log
    a, b = int(tests.a[place]), int(tests.b[place])
    tested = bool(search.tested[place])

    def shown(values: NDArray[np.float64]) -> float | None:
        return _rounded(float(values[place])) if tested else None

    def probability(values: NDArray[np.float64]) -> float | None:
        return float(f"{values[place]:.3g}") if tested and np.isfinite(values[place]) else None

    sessions = incidence.shape[1]
    with_a, with_b, with_both = int(incidence[a].sum()), int(incidence[b].sum()), int(incidence[a] @ incidence[b])
    return {
        "a": log.services[a],
        "b": log.services[b],
        "deployments_a": int(log.counts[a]),
        "deployments_b": int(log.counts[b]),
        "coincidences": int(tests.coincidences[place]),
        "rate": shown(tests.rate),
        "base_rate": shown(tests.base_rate),
        "activity_rate": shown(tests.activity_rate),
        "excess": shown(tests.excess),
        "excess_low": shown(tests.excess_low),
        "excess_high": shown(tests.excess_high),
        "rate_ci": _rate_interval(result, place),
        "rate_of": log.services[b if tests.of_b[place] else a],
        "p_value": probability(np.fmax(tests.p_calendar, tests.p_activity)),
        "q_value": probability(search.q_value),
        "label": cast(Any, label),
        "lag_minutes": cast(Any, extras.order.lag_minutes.document()) if extras else None,
        "direction": extras.order.direction if extras else "undetermined",
        "sign_p": extras.order.sign_p if extras else None,
        "sign_flip_p": extras.order.sign_flip_p if extras else None,
        "second_opinion_p": float(f"{extras.p_value:.3g}") if extras else None,
        "widest_window": extras.window if extras else None,
        "classical": co_change(sessions, with_a, with_b, with_both).document(),
        "status": "ok" if tested else "insufficient_data",
        "reason": _reason(result, place, extras),
    }


def _rate_interval(result: Codeployment, place: int) -> list[float] | None:
    tests = result.search.tests
    if not result.search.tested[place]:
        return None
    return [round(float(bound), 4) for bound in wilson(tests.coincidences[place], tests.trials[place])]


def _reason(result: Codeployment, place: int, extras: _Extras | None) -> str:
    search = result.search
    if not search.tested[place]:
        return _untested_because(result, place)
    if search.coupled[place] and not search.confirmed[place]:
        return "only the latest week makes it stand out; it needs another week to be confirmed"
    if extras and extras.p_value > ALPHA:
        return "the second opinion, which keeps the batch sizes, does not see it"
    return ""


def _untested_because(result: Codeployment, place: int) -> str:
    search, counts = result.search, result.log.counts
    fewest = min(counts[search.tests.a[place]], counts[search.tests.b[place]])
    if fewest < MINIMUM_PER_SERVICE:
        return f"needs {MINIMUM_PER_SERVICE} deployments of each, the fewer has {fewest}"
    if len(result.log.services) < FEWEST_SERVICES:
        return (
            f"needs {FEWEST_SERVICES} services to tell a pair from the rhythm of all, seen {len(result.log.services)}"
        )
    if result.log.weeks < MINIMUM_WEEKS:
        return f"needs {MINIMUM_WEEKS} weeks, seen {result.log.weeks}"
    if not search.eligible[place]:
        shared = search.common_weeks[place]
        return f"needs {MINIMUM_PER_SERVICE} deployments of each in {MINIMUM_WEEKS} weeks of both, they share {shared}"
    return "their calendar rhythm explains so much that even always coinciding would prove nothing"


def _extras(result: Codeployment, places: NDArray[np.intp]) -> Mapping[int, _Extras]:
    """Second opinion, window and order of the pairs at the given places."""
    if not len(places):
        return {}
    a, b = result.search.tests.a[places], result.search.tests.b[places]
    p_values = curveball_p_values(result.sessions.incidence, a, b, generator("curveball", *result.log.services))
    orders = [lead_lag(result.log, matched(result.log, int(x), int(y))) for x, y in zip(a, b, strict=True)]
    windows = widest_windows(result.log, a, b)
    return {
        int(place): _Extras(float(p), window, order)
        for place, p, window, order in zip(places, p_values, windows, orders, strict=True)
    }


def _groups(result: Codeployment) -> list[dict[str, Any]]:
    return [_group(result, members) for members in (*result.search.groups, *lone_pairs(result.search))]


def lone_pairs(search: PairSearch) -> list[tuple[int, ...]]:
    """Confirmed pairs that are not inside one group, strongest first."""
    inside = [set(group) for group in search.groups]
    places = sorted(np.flatnonzero(search.confirmed), key=lambda place: -search.tests.excess_low[place])
    pairs = [(int(search.tests.a[place]), int(search.tests.b[place])) for place in places]
    return [pair for pair in pairs if not any(group.issuperset(pair) for group in inside)]


def _group(result: Codeployment, members: Sequence[int]) -> dict[str, Any]:
    search = result.search
    inside = search.coupled & np.isin(search.tests.a, members) & np.isin(search.tests.b, members)
    lows = search.tests.excess_low[inside]
    return {
        "services": [result.log.services[member] for member in members],
        "label": "pair" if len(members) == 2 else "group",
        "pairs": int(inside.sum()),
        "strongest_excess_low": _rounded(float(lows.max())),
        "median_excess_low": _rounded(float(np.median(lows))),
    }


def _timeline(events: pl.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "service": row["service"],
            "version": row["version"],
            "at": iso_time(row["at_ns"]),
            "earliest": iso_time(row["earliest_ns"]),
            "rollout_end": None if row["rollout_end_ns"] is None else iso_time(row["rollout_end_ns"]),
            "source": row["source"],
        }
        for row in events.tail(MOST_DEPLOYMENTS).iter_rows(named=True)
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
