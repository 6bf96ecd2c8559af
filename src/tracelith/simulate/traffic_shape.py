"""The shape of traffic: daily and weekly cycles, and rushes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OFFICE_HOURS", "Cycle", "Rush"]

_DAY_US = 86_400_000_000
_EPOCH_WEEKDAY, _SATURDAY = 3, 5  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class Cycle:
    """Load over a week, relative to the mean of a working day.

    Attributes:
        peak_hour: UTC, 0 to 24. swing: 0 is flat; 0.8 makes the peak nine times the trough.
        weekend: load of Saturday and Sunday relative to the same hour of a working day.
    """

    peak_hour: float = 14.0
    swing: float = 0.8
    weekend: float = 0.6

    def load(self, at_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """Load at moments (microseconds since 1970), relative to the mean of a working day."""
        hour = at_us % _DAY_US / (_DAY_US / 24)
        weekday = (at_us // _DAY_US + _EPOCH_WEEKDAY) % 7
        daily = 1 + self.swing * np.cos((hour - self.peak_hour) / 24 * 2 * np.pi)
        return np.asarray(daily * np.where(weekday >= _SATURDAY, self.weekend, 1.0))

    def level(self, at_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where the load at these moments lies between the week's quietest (0) and busiest (1); 1 if flat."""
        least = (1 - self.swing) * min(self.weekend, 1.0)
        most = (1 + self.swing) * max(self.weekend, 1.0)
        if most == least:
            return np.ones(at_us.size)
        return np.clip((self.load(at_us) - least) / (most - least), 0.0, 1.0)


OFFICE_HOURS = Cycle()


@dataclass(frozen=True, slots=True)
class Rush:
    """A stretch of time in which a share of all requests of the period comes in, evenly.

    Attributes:
        at: its middle, as a share of the period. minutes: its length. share: of all requests.
    """

    at: float
    minutes: float
    share: float
