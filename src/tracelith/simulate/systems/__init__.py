"""The systems that can be simulated by name: stories, one module each, and random ones that the run's seed draws."""

from collections.abc import Mapping
from types import MappingProxyType

from tracelith.model.errors import ConfigurationError
from tracelith.simulate.random_systems import PLANS, draw_system
from tracelith.simulate.systems.fifty import FIFTY
from tracelith.simulate.systems.gateway import GATEWAY
from tracelith.simulate.systems.healthy import HEALTHY
from tracelith.simulate.systems.kafka import KAFKA
from tracelith.simulate.systems.login import LOGIN
from tracelith.simulate.systems.modular import MODULAR
from tracelith.simulate.systems.payment import PAYMENT
from tracelith.simulate.systems.trading import TRADING
from tracelith.simulate.systems.train import TRAIN
from tracelith.simulate.topology import System

__all__ = ["RANDOM_SYSTEMS", "SYSTEMS", "draw_random", "find_system"]

_STORIES = (LOGIN, KAFKA, PAYMENT, FIFTY, HEALTHY, TRAIN, TRADING, MODULAR, GATEWAY)
_RANDOM = "random-"
_ALL = {system.name: system for system in _STORIES}

SYSTEMS: Mapping[str, str] = MappingProxyType({name: system.title for name, system in _ALL.items()})
"""Name of a story to its one-line description."""

RANDOM_SYSTEMS: Mapping[str, str] = MappingProxyType({f"{_RANDOM}{name}": plan.title for name, plan in PLANS.items()})
"""Likewise of the plans from which systems are drawn."""


def find_system(system: str | System, *, weeks: int, traces: int, seed: int) -> System:
    """The system of that name, or the one given, if it can be run that long.

    Args:
        seed: of the run; it draws the system too, where the name is one of RANDOM_SYSTEMS.

    Raises:
        ConfigurationError: says everything that is wrong.
    """
    problems = []
    if isinstance(system, str) and system not in _ALL and system not in RANDOM_SYSTEMS:
        problems.append(f"there is no system {system!r}; choose one of {', '.join((*_ALL, *RANDOM_SYSTEMS))}")
    if weeks < 1:
        problems.append(f"weeks must be at least 1, not {weeks}")
    if traces < 1:
        problems.append(f"traces must be at least 1, not {traces}")
    if seed < 0:
        problems.append(f"seed must not be negative, not {seed}")
    if problems:
        raise ConfigurationError("; ".join(problems))
    if not isinstance(system, str):
        return system
    return _ALL[system] if system in _ALL else draw_random(system, seed)


def draw_random(name: str, seed: int, train_share: float | None = None) -> System:
    """The system of one of RANDOM_SYSTEMS that a seed draws.

    Args:
        train_share: of its releases that wait for a train, instead of the plan's own.

    Raises:
        ConfigurationError: no such plan.
    """
    if name not in RANDOM_SYSTEMS:
        raise ConfigurationError(f"there is no random system {name!r}; choose one of {', '.join(RANDOM_SYSTEMS)}")
    plan = PLANS[name.removeprefix(_RANDOM)]
    return draw_system(seed, plan if train_share is None else plan.with_train(train_share))
