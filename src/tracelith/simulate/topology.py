"""What a system is made of: services with their instances, databases, topics, and how it is deployed.

Plain data. A system description (package systems) is one value of System; everything else in this package is
a function of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracelith.simulate.latency import Latency
from tracelith.simulate.releases import Canary, Monorepo, ReleaseHabit, Rollback, Train
from tracelith.simulate.traffic_shape import Cycle, Rush

if TYPE_CHECKING:
    from tracelith.simulate.flow import Consumer, Entry
    from tracelith.simulate.incidents import Incident

__all__ = ["Database", "Scaling", "Service", "System", "Topic"]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances of a service run at a moment: as many as the load on its axis needs.

    Attributes:
        axis: the load that drives it; services with the same axis grow and shrink together.
        least: instances when the axis is at its quietest; Service.instances run at its peak.
    """

    axis: Cycle
    least: int


@dataclass(frozen=True, slots=True)
class Service:
    """One deployable service.

    Attributes:
        name: its service.name. language: its telemetry.sdk.language; decides which instrumentation it carries.
        instances: replicas; requests go to a random one.
        release: first version as major.minor; every deployment raises the patch number.
        port: where its HTTP interface listens.
        namespace: its service.namespace, the team or product that owns it; "" leaves the attribute out.
        scaling: None runs all instances all the time.
    """

    name: str
    language: str
    instances: int
    release: str
    port: int = 8080
    namespace: str = ""
    scaling: Scaling | None = None


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
class System:
    """A whole simulated system.

    Attributes:
        name, title: identifier and one-line description. readme: its story in Markdown, for people.
        services, entries, consumers: what runs and what is asked of it. Operations hang below entries and consumers.
        habits: who is deployed when and with whom; trains, canaries, rollbacks, monorepos: what becomes of it.
        network: one way between two services.
        incidents: what goes wrong at moments of its own. rushes: stretches of time with much more traffic.
        table_owners: table name to the name of the service that owns it; others use foreign data.
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
    trains: tuple[Train, ...] = ()
    canaries: tuple[Canary, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()
    monorepos: tuple[Monorepo, ...] = ()
    incidents: tuple["Incident", ...] = ()
    rushes: tuple[Rush, ...] = ()
    table_owners: Mapping[str, str] = field(default_factory=dict)
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
