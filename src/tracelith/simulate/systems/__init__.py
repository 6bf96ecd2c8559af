"""The systems that can be simulated, one module each."""

from collections.abc import Mapping
from types import MappingProxyType

from tracelith.model.errors import ConfigurationError
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

__all__ = ["SYSTEMS", "find_system"]

_STORIES = (LOGIN, KAFKA, PAYMENT, FIFTY, HEALTHY, TRAIN, TRADING, MODULAR, GATEWAY)
_ALL = {system.name: system for system in _STORIES}

SYSTEMS: Mapping[str, str] = MappingProxyType({name: system.title for name, system in _ALL.items()})
"""Name to one-line description."""


def find_system(system: str | System, *, weeks: int, traces: int, seed: int) -> System:
    """The system of that name, or the one given, if it can be run that long.

    Raises:
        ConfigurationError: says everything that is wrong.
    """
    problems = []
    if isinstance(system, str) and system not in _ALL:
        problems.append(f"there is no system {system!r}; choose one of {', '.join(_ALL)}")
    if weeks < 1:
        problems.append(f"weeks must be at least 1, not {weeks}")
    if traces < 1:
        problems.append(f"traces must be at least 1, not {traces}")
    if seed < 0:
        problems.append(f"seed must not be negative, not {seed}")
    if problems:
        raise ConfigurationError("; ".join(problems))
    return _ALL[system] if isinstance(system, str) else system
