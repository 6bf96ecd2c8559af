"""How long things take: ordinary spread, and episodes in which everything on one instance waits.

Times are drawn in whole microseconds, the resolution most SDK clocks have. It also keeps a seeded run the same
on machines whose floating-point exponentials differ in the last bit.
"""

import math
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.random_bits import chance, mix, normal

__all__ = ["Episodes", "Latency", "Micros", "Queueing"]

Micros = NDArray[np.int64]

_Z99 = 2.3263478740408408  # 99th percentile of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Latency:
    """A log-normal duration, told by the two numbers an engineer knows of it.

    Attributes:
        median_ms: half of the draws are shorter.
        p99_ms: one draw in a hundred is longer.
    """

    median_ms: float
    p99_ms: float

    def draw_us(self, rng: np.random.Generator, count: int) -> Micros:
        """int64[count] microseconds, at least 1."""
        sigma = math.log(self.p99_ms / self.median_ms) / _Z99
        draws = np.exp(rng.standard_normal(count) * sigma) * (self.median_ms * 1_000)
        return np.maximum(np.rint(draws), 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Episodes:
    """Recurring stalls of one instance: whoever arrives during one waits until it is over.

    The length of an episode is Pareto distributed and cut at longest_s. Length and moment depend only on the seed,
    the instance and the episode's number, so all requests that meet an episode agree on when it ends: slowness is
    correlated, not drawn per request.

    Attributes:
        every_s: time from the start of one episode to the start of the next on the same instance.
        shortest_s, longest_s: bounds of the length. tail_index: Pareto index; smaller is heavier.
    """

    every_s: float
    shortest_s: float
    longest_s: float
    tail_index: float

    def wait_us(self, seed: int, instance: NDArray[np.int64], at_us: Micros) -> Micros:
        """int64 microseconds that work arriving at at_us on instance has to wait; mostly 0."""
        period_us = int(self.every_s * 1e6)
        phase_us = (mix(instance.astype(np.uint64), seed) % np.uint64(period_us)).astype(np.int64)
        episode, into_us = np.divmod(at_us + phase_us, period_us)
        bits = mix(episode.astype(np.uint64) * np.uint64(1_009) + instance.astype(np.uint64), seed + 1)
        uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
        length_s = np.minimum(self.shortest_s * uniform ** (-1 / self.tail_index), self.longest_s)
        return np.maximum(np.rint(length_s * 1e6).astype(np.int64) - into_us, 0)


@dataclass(frozen=True, slots=True)
class Queueing:
    """Waiting for a resource that serves one request after another, and that others keep busy most of the time.

    Time falls into slots of slot_ms. What others bring in a slot has the mean and the variance of requests that come at
    random and take exponential times; it is spread evenly over the slot and piles up whenever the slot cannot serve it
    all, so the mean wait comes near utilisation / (1 - utilisation) * burst_ms, and below it where a burst is shorter
    than a slot. All requests agree on how long the queue is at a moment, whenever they are asked for: the queue follows
    one path of 2**19 slots that depends on nothing but these numbers, and every 8,192 slots it goes on at another place
    of the path, drawn from the seed, the resource and the time.

    Attributes:
        name: of the resource; steps with the same name share the queue, across services too.
        utilisation: mean share of time that others keep it busy, below 1.
        burst_ms: mean work of one of the others; larger waits longer at the same utilisation.
        slot_ms: resolution in time. per_instance: each instance of the service has a queue of its own.
    """

    name: str
    utilisation: float
    burst_ms: float
    slot_ms: float = 50.0
    per_instance: bool = True

    def wait_us(self, seed: int, instance: NDArray[np.int64], at_us: Micros) -> Micros:
        """int64 microseconds that a request arriving at at_us has to wait for the resource of this instance.

        Args:
            seed: of the run and the owner of the resource. instance: not looked at unless per_instance.
        """
        path = _queue_path(self.utilisation, self.burst_ms, self.slot_ms)
        slot_us = round(self.slot_ms * 1_000)
        slot, into_us = np.divmod(at_us, slot_us)
        epoch, step = np.divmod(slot, _EPOCH_SLOTS)
        counter = epoch.astype(np.uint64)
        if self.per_instance:
            counter = counter * np.uint64(1_009) + instance.astype(np.uint64)
        offset = mix(counter, seed + zlib.crc32(self.name.encode())) % np.uint64(_PATH_SLOTS)
        at = (offset.astype(np.int64) + step) % _PATH_SLOTS
        before, after = path[at].astype(np.int64), path[at + 1].astype(np.int64)
        return before + (after - before) * into_us // slot_us


_PATH_SLOTS, _EPOCH_SLOTS = 2**19, 2**13


@lru_cache(maxsize=64)  # of 2 MB each
def _queue_path(utilisation: float, burst_ms: float, slot_ms: float) -> NDArray[np.int32]:
    """int32[_PATH_SLOTS + 1] microseconds of work waiting at the start of each slot: a reflected random walk.

    It is walked twice and the second round taken, which begins where the first one ended.
    """
    slot_us = slot_ms * 1_000
    work_us = _slot_work_us(utilisation * slot_us, burst_ms * 1_000)
    walk = np.concatenate([[0], np.cumsum(work_us - round(slot_us))])
    first = walk - np.minimum.accumulate(walk)
    again = walk + first[-1]
    waiting = again - np.minimum(np.minimum.accumulate(again), 0)
    path: NDArray[np.int32] = np.minimum(waiting, np.iinfo(np.int32).max).astype(np.int32)
    return path


def _slot_work_us(mean_us: float, burst_us: float) -> Micros:
    """Work that comes in each slot of the path.

    Requests at random moments with exponential times bring work of the variance 2 * mean * burst. Where that is much,
    most slots bring none and some an exponential amount; where it is little, the sum of many is nearly log-normal.
    """
    if mean_us <= 0:
        return np.zeros(_PATH_SLOTS, np.int64)
    slots = np.arange(_PATH_SLOTS, dtype=np.uint64)
    dispersion = 2 * burst_us / mean_us  # squared coefficient of variation
    if dispersion > 1:
        amount_us = burst_us + mean_us / 2
        drawn = np.where(chance(slots, 1) < mean_us / amount_us, -np.log(chance(slots, 2)) * amount_us, 0.0)
    else:
        variance = math.log1p(dispersion)
        drawn = np.exp(normal(slots, 1) * math.sqrt(variance) - variance / 2) * mean_us
    return np.rint(drawn).astype(np.int64)
