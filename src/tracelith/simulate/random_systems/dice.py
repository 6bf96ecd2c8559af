"""Draws of all kinds from one random stream, rounded so that the last bit of a machine's exponentials never shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tracelith.simulate.flow import Work
from tracelith.simulate.latency import Latency

__all__ = ["Dice", "rounded"]

T = TypeVar("T")

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Dice:
    """Draws, each from where the stream is."""

    rng: np.random.Generator

    @classmethod
    def named(cls, seed: int, name: str) -> "Dice":
        """A stream of its own for each seed and name: what is drawn from one never moves another."""
        return cls(np.random.default_rng([seed, *name.encode()]))

    def chance(self, probability: float) -> bool:
        """True in this share of the draws."""
        return bool(self.rng.random() < probability)

    def whole(self, bounds: tuple[int, int]) -> int:
        """A whole number, both bounds included."""
        return int(self.rng.integers(bounds[0], bounds[1] + 1))

    def between(self, bounds: tuple[float, float]) -> float:
        """A number between the bounds, any of them equally likely."""
        return rounded(bounds[0] + float(self.rng.random()) * (bounds[1] - bounds[0]))

    def around(self, median: float, factor: float) -> float:
        """A log-normal number; two in three are within this factor of the median."""
        return rounded(median * math.exp(float(self.rng.standard_normal()) * math.log(factor)))

    def pick(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the items, each equally likely unless weighted."""
        if weights is None:
            return items[int(self.rng.integers(len(items)))]
        ends = np.cumsum(weights)
        return items[min(int(np.searchsorted(ends, self.rng.random() * ends[-1], side="right")), len(items) - 1)]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """So many different items, or all of them if there are fewer, in the order drawn."""
        return [items[index] for index in self.rng.permutation(len(items))[:count].tolist()]

    def latency(self, median_ms: float, tail: tuple[float, float] = (2.5, 5.0)) -> Latency:
        """A latency around this median, whose p99 is within these multiples of its own median."""
        median = max(self.around(median_ms, 1.3), 0.05)
        return Latency(median, rounded(median * self.between(tail)))

    def work(self, median_ms: float) -> Work:
        """The service computes for about so long."""
        return Work(self.latency(median_ms))


def rounded(number: float) -> float:
    """The number with as many digits as a person would write."""
    return float(f"{number:.{_DIGITS}g}")
