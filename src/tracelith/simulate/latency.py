"""How long things take: ordinary spread, and episodes in which everything on one instance waits.

Times are drawn in whole microseconds, the resolution most SDK clocks have. It also keeps a seeded run the same
on machines whose floating-point exponentials differ in the last bit.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelith.simulate.random_bits import mix

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

    What others bring falls into slots of slot_ms: their work in a slot is drawn from the seed, the resource and the
    slot's number, so all requests agree on how long the queue is at a moment. The wait is that of a queue whose
    work piles up whenever more comes in than the slot can serve.

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
