"""How deep and how slow requests really are, and where slow ones spend their time: from large reference runs.

The numbers are those of the whole population as far as so many requests show it: other runs of the same system and
length, whose random numbers have nothing in common with those of the run that is observed.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tracelith.evaluate.claims import Case, Truth, entry_subject, hop_subject
from tracelith.evaluate.naming import service_names
from tracelith.simulate import Simulation
from tracelith.simulate.accounting import EntryAccount, Place, account

__all__ = ["EntryPopulation", "request_truths", "tail_shares", "told"]

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

TIMES_AS_MANY, LEAST_REQUESTS, MOST_REQUESTS = 20, 100_000, 320_000
"""A reference run has so many times the requests of the case, so that its own chance hardly counts; within bounds, as a
hundred thousand take a second or two."""
REFERENCE_SEED = 7_919
"""Added to the seed of a case: reference runs must not see the requests that are observed."""
FEWEST_REQUESTS = 5_000
"""Entry operations with fewer in the reference are not judged: their truth would be no better known than the claim."""

DEEP_HOPS = 3
QUANTILES = (0.99, 0.95, 0.90)
MIDDLE = (0.40, 0.60)
DOMINANT, AHEAD = 0.4, 0.1
"""A place dominates a tail if it has so much of the extra time, and so much more than the next one."""
ENOUGH_REQUESTS = 3_000
"""From so many requests on there are thirty among the slowest percent, and the dominant place should be named."""
SLOWER, LONGER_MS = 1.2, 1.0
"""Slow requests are slow if they take so many times as long as ordinary ones, and so much longer; else nobody asks."""
MUCH_SLOWER, MUCH_LONGER_MS, MOST_OF_IT = 2.5, 8.0, 0.6
"""People should be told of a place elsewhere if the slowest requests take so many times as long as ordinary ones, so
much longer, and spend so much of that there."""
HARDLY_SLOWER, LITTLE_OF_IT = 1.5, 0.2
"""They should not if requests are not even so much slower, or spend less of it there. What lies between may be told or
not: a rule draws its line somewhere there."""
HTTPS = ":443"
"""Port of everybody outside the simulated systems."""
VISIBLE = 0.05
"""Shares below are nobody's concern and not judged."""


class EntryPopulation:
    """All requests of one entry operation in the reference."""

    def __init__(self, entry: EntryAccount, names: Mapping[str, str]) -> None:
        self.service, self.operation = names[entry.service], entry.operation
        self.hops: Int64 = entry.critical_hops
        self.latency_ms: Float64 = entry.latency_us / 1e3
        self.places = tuple(_label(place, names) for place in entry.places)
        self.remote = tuple(place.kind == "network" or place.caller != entry.service for place in entry.places)
        self.spent_ms: Float64 = entry.spent_us / 1e3


def request_truths(case: Case, simulation: Simulation) -> list[Truth]:
    """Depths, latencies and tails of every entry operation with enough requests."""
    weeks = round((simulation.end - simulation.start) / timedelta(weeks=1))
    # A system that is drawn is drawn anew for each case; its name and seed stand for it.
    requests = min(max(TIMES_AS_MANY * case.traces, LEAST_REQUESTS), MOST_REQUESTS)
    key = _Key((case.system, case.seed, case.train_share, weeks, requests), simulation)
    entries = _reference(key)
    total = sum(entry.latency_ms.size for entry in entries)
    found: list[Truth] = []
    for entry in entries:
        traffic = entry.latency_ms.size / total * case.traces
        if entry.latency_ms.size >= FEWEST_REQUESTS:
            found += [*_depths(entry, traffic * case.sampling), *_latencies(entry)]
            found += [*_tails(entry, traffic), *told(entry, traffic)]
    return found


class _Key:
    """Names a system for the cache: cases of one system differ in what is observed, not in what is true."""

    def __init__(self, identity: tuple[str, int, float | None, int, int], simulation: Simulation) -> None:
        self.identity, self.simulation = identity, simulation

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.identity == other.identity


@lru_cache(maxsize=2)
def _reference(key: _Key) -> tuple[EntryPopulation, ...]:
    _, seed, _, weeks, requests = key.identity
    run = key.simulation
    done = account(run.system, seed=seed + REFERENCE_SEED, requests=requests, weeks=weeks, until=run.end)
    names = service_names(run.system)
    return tuple(EntryPopulation(entry, names) for entry in done.entries)


def _depths(entry: EntryPopulation, observed: float) -> Iterator[Truth]:
    """Depths that a sample of the observed size can be expected to meet exactly."""
    subject = entry_subject(entry.service, entry.operation)
    p50, p95 = (_clear_quantile(entry.hops, q, observed) for q in (0.5, 0.95))
    deepest = int(entry.hops.max())
    yield Truth("depth-p50", subject, value=p50)
    yield Truth("depth-p95", subject, value=p95)
    if (entry.hops == deepest).mean() * observed >= 10:
        yield Truth("depth-max", subject, value=float(deepest))
    yield Truth("deep-chain", subject, positive=None if p95 is None else p95 >= DEEP_HOPS, value=p95)


def _clear_quantile(hops: Int64, q: float, observed: float) -> float | None:
    """The quantile, unless it lies so near a step of the distribution that a sample may fall on either side."""
    value = int(np.quantile(hops, q, method="inverted_cdf"))
    below, upto = float((hops < value).mean()), float((hops <= value).mean())
    room = 4 * np.sqrt(q * (1 - q) / max(observed, 1))
    return float(value) if below + room < q < upto - room or (below + room < q and upto == 1) else None


def _latencies(entry: EntryPopulation) -> Iterator[Truth]:
    subject = entry_subject(entry.service, entry.operation)
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        yield Truth(f"latency-{name}", subject, value=float(np.quantile(entry.latency_ms, q, method="inverted_cdf")))


def _tails(entry: EntryPopulation, traffic: float) -> Iterator[Truth]:
    """Shares and extra time at every quantile; the dominant place at the highest."""
    for q in QUANTILES:
        slow, ordinary = tail_shares(entry.latency_ms, entry.spent_ms, q)
        excess = slow - ordinary
        if not _is_tail(slow, ordinary):
            continue
        shares = excess / excess.sum()
        for place, share, extra in zip(entry.places, shares.tolist(), excess.tolist(), strict=True):
            if abs(share) >= VISIBLE:
                subject = f"{hop_subject(entry.service, entry.operation, place)} @ {q:g}"
                yield Truth("tail-share", subject, value=share)
                yield Truth("tail-excess", subject, value=extra)
        if q == QUANTILES[0]:
            yield from _dominant(entry, shares, traffic)


def tail_shares(latency_ms: Float64, spent_ms: Float64, q: float) -> tuple[Float64, Float64]:
    """Mean time at each place among the slowest requests, and among those in the middle: two float64[places]."""
    order = np.argsort(latency_ms, kind="stable")
    count = latency_ms.size
    slow, middle = order[int(np.ceil(q * count)) :], order[int(MIDDLE[0] * count) : int(MIDDLE[1] * count)]
    return spent_ms[slow].mean(axis=0), spent_ms[middle].mean(axis=0)


def _is_tail(slow: Float64, ordinary: Float64) -> bool:
    return bool(slow.sum() >= SLOWER * ordinary.sum() and slow.sum() - ordinary.sum() >= LONGER_MS)


def _dominant(entry: EntryPopulation, shares: Float64, traffic: float) -> Iterator[Truth]:
    """The place that should be named, if one surely should and there is traffic to know it by; the others should not.

    Args:
        traffic: requests in the observed run, sampled or not.
    """
    order = np.argsort(-shares)
    first, second = shares[order[0]], shares[order[1]] if shares.size > 1 else 0.0
    clear = bool(first >= DOMINANT and first - second >= AHEAD and traffic >= ENOUGH_REQUESTS)
    for place, share in zip(entry.places, shares.tolist(), strict=True):
        named = share == float(first) if clear else None
        yield Truth("tail-hop", hop_subject(entry.service, entry.operation, place), named, share)


def told(entry: EntryPopulation, traffic: float) -> Iterator[Truth]:
    """Of which places people should be told, and of which they should not, whichever quantile is looked at."""
    should: set[str] = set()
    may: set[str] = set()
    for q in QUANTILES:
        slow, ordinary = tail_shares(entry.latency_ms, entry.spent_ms, q)
        if slow.sum() < HARDLY_SLOWER * ordinary.sum():
            continue
        shares = (slow - ordinary) / (slow.sum() - ordinary.sum())
        may |= {place for place, share in zip(entry.places, shares, strict=True) if share >= LITTLE_OF_IT}
        if q == QUANTILES[0] and traffic >= ENOUGH_REQUESTS and _is_much_slower(slow, ordinary):
            places = zip(entry.places, shares, entry.remote, strict=True)
            should = {place for place, share, remote in places if remote and share >= MOST_OF_IT}
    for place in entry.places:
        positive = place in should if place in should or place not in may else None
        yield Truth("tail-finding", hop_subject(entry.service, entry.operation, place), positive)


def _is_much_slower(slow: Float64, ordinary: Float64) -> bool:
    longer = slow.sum() - ordinary.sum()
    return bool(slow.sum() >= MUCH_SLOWER * ordinary.sum() and longer >= MUCH_LONGER_MS)


def _label(place: Place, names: Mapping[str, str]) -> str:
    """The place as evidence and document name it."""
    if place.kind == "service":
        return names[place.callee]
    callee = names[place.callee] if place.kind == "network" else place.callee
    return f"{names[place.caller]} → {callee}{HTTPS if place.kind == 'external' else ''}"
