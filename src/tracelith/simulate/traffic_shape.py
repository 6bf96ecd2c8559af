"""The shape of traffic, as data: daily and weekly cycles, and rushes."""

from dataclasses import dataclass

__all__ = ["OFFICE_HOURS", "Cycle", "Rush"]


@dataclass(frozen=True, slots=True)
class Cycle:
    """Load over a week, relative to its mean.

    Attributes:
        peak_hour: UTC, 0 to 24. swing: 0 is flat; 0.8 makes the peak nine times the trough.
        weekend: load of Saturday and Sunday relative to the same hour of a working day.
    """

    peak_hour: float = 14.0
    swing: float = 0.8
    weekend: float = 0.6


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
