"""A step or an incident of a kind that nobody executes stops the run: truth must not tell of what never happened."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from small_systems import constant, run_of, small_system
from stories import UNTIL
from tracelith.simulate.execution import World, execute
from tracelith.simulate.flow import Parallel, Sometimes
from tracelith.simulate.incidents import Moments
from tracelith.simulate.rollouts import Fleet, draw_rollouts
from tracelith.simulate.topology import System
from tracelith.simulate.traffic import draw_arrivals

WEEK_US = 7 * 86_400_000_000
END_US = int(UNTIL.timestamp()) * 1_000_000


@dataclass(frozen=True, slots=True)
class Teleport:
    """Like a step, but of no kind that is known."""

    steps: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Flood:
    """Like an incident, but of no kind that is known."""

    moments: Moments
    minutes: float


def test_an_incident_of_an_unknown_kind_stops_the_run() -> None:
    flooded = small_system(constant(1), incidents=(Flood(Moments(at=(0.5,)), 10),))

    with pytest.raises(AssertionError, match="Flood"):
        run_of(flooded, traces=10)


NOWHERE: Any = Teleport()
PLACES = {
    "alone": NOWHERE,
    "in a branch": Parallel(((constant(1),), (NOWHERE,))),
    "seldom taken": Sometimes(0.5, (NOWHERE,)),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_step_of_an_unknown_kind_has_no_truth_wherever_it_hides(place: str) -> None:
    system = small_system(constant(1), PLACES[place])

    with pytest.raises(AssertionError, match="Teleport"):
        run_of(system, traces=10)


@pytest.mark.parametrize("place", PLACES)
def test_a_step_of_an_unknown_kind_is_not_walked_past(place: str) -> None:
    system = small_system(constant(1), PLACES[place])

    with pytest.raises(AssertionError, match="Teleport"):
        executed(system)


def executed(system: System) -> object:
    """Spans of a week of requests, nobody having asked for the truth."""
    start_us = END_US - WEEK_US
    rng = np.random.default_rng(5)
    fleet = Fleet.of(system, draw_rollouts(system, rng, start_us, END_US), 5)
    world = World.of(system, fleet, 5, start_us, END_US)
    arrivals = draw_arrivals(system, rng, 200, start_us, END_US)
    return execute(world, arrivals, 0, 200)
