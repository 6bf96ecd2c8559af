"""Random bits from counters: the same for the same counter and seed, on every machine, whatever is asked when."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["chance", "mix", "normal"]

UInt64 = NDArray[np.uint64]
_ODD = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, as SplitMix64 counts


def mix(values: UInt64, seed: int) -> UInt64:
    """64 random bits for each value (SplitMix64 finaliser)."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64((seed * _ODD + _ODD) % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def chance(values: UInt64, seed: int) -> NDArray[np.float64]:
    """A uniform number above 0 and below 1 for each value."""
    uniform: NDArray[np.float64] = ((mix(values, seed) >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
    return uniform


def normal(values: UInt64, seed: int) -> NDArray[np.float64]:
    """A standard normal number for each value (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log(chance(values, seed)))
    drawn: NDArray[np.float64] = radius * np.cos(2 * np.pi * chance(values, seed + 1))
    return drawn
