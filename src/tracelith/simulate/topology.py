"""What a system is made of: services with their instances, databases, topics, and how it is deployed.

Plain data. A system description (package systems) is one value of System; everything else in this package is
a function of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracelith.simulate.latency import Latency

if TYPE_CHECKING:
    from tracelith.simulate.flow import Consumer, Entry

__all__ = ["Database", "ReleaseHabit", "Service", "System", "Topic"]


@dataclass(frozen=True, slots=True)
class Service:
    """One deployable service.

    Attributes:
        name: its service.name. language: its telemetry.sdk.language; decides which instrumentation it carries.
        instances: replicas; requests go to a random one.
        release: first version as major.minor; every deployment raises the patch number.
        port: where its HTTP interface listens.
    """

    name: str
    language: str
    instances: int
    release: str
    port: int = 8080


@dataclass(frozen=True, slots=True)
class Database:
    """One database of one server; two Database values with the same address share that server."""

    system: str
    address: str
    port: int
    namespace: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A queue or topic of a broker."""

    system: str
    address: str
    port: int
    destination: str
    partitions: int = 6


@dataclass(frozen=True, slots=True)
class ReleaseHabit:
    """Who is deployed together, how often and how close in time.

    Attributes:
        services: names; several are deployed together, each within within_min minutes of the start.
        per_week: mean number of deployments a week, at random moments of working time.
    """

    services: tuple[str, ...]
    per_week: float
    within_min: float = 0.0


@dataclass(frozen=True, slots=True)
class System:
    """A whole simulated system.

    Attributes:
        name, title: identifier and one-line description. readme: its story in Markdown, for people.
        services, entries, consumers: what runs and what is asked of it. Operations hang below entries and consumers.
        habits: deployments. network: one way between two services.
        planted: what was put in on purpose and cannot be read off the description, for truth.json.
    """

    name: str
    title: str
    readme: str
    services: tuple[Service, ...]
    entries: tuple["Entry", ...]
    consumers: tuple["Consumer", ...]
    habits: tuple[ReleaseHabit, ...]
    network: Latency
    planted: Mapping[str, Any] = field(default_factory=dict)

    def service(self, name: str) -> Service:
        """The service of that name.

        Raises:
            KeyError: the system has none.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)
