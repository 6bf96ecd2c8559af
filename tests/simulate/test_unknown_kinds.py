"""An incident of a kind that nobody executes stops the run: truth must not tell of what never happened."""

from dataclasses import dataclass

import pytest

from small_systems import constant, run_of, small_system
from tracelith.simulate.incidents import Moments


@dataclass(frozen=True, slots=True)
class Flood:
    """Like an incident, but of no kind that is known."""

    moments: Moments
    minutes: float


def test_an_incident_of_an_unknown_kind_stops_the_run() -> None:
    flooded = small_system(constant(1), incidents=(Flood(Moments(at=(0.5,)), 10),))

    with pytest.raises(AssertionError, match="Flood"):
        run_of(flooded, traces=10)
