"""The shape of the system: cycles, hubs, services too small or too large, and too many of them."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["CycleDocument", "ServiceShapeDocument", "StructureDocument", "SystemSizeDocument"]


class CycleDocument(TypedDict):
    """Services that call each other in a circle."""

    services: list[str]
    edges: list[str]  # "a → b"
    reentry_share: EstimateDocument  # of the requests that pass the service come back to, those that come back
    kind: Literal["runtime", "between_requests"]  # the same request comes back, or only different requests close it
    trace_ids: list[str]


class ServiceShapeDocument(TypedDict):
    """One service in the graph of awaited calls."""

    service: str
    team: str | None
    callers: int
    callees: int
    instability: float | None  # callees / (callers + callees)
    operations: int
    requests: int
    own_time_share: float | None  # of all time that services spend themselves
    own_ms: float | None  # median own time per request
    network_ms: float | None  # mean way of a call to it
    hub: bool
    size: Literal["nano", "ordinary", "mega", "unknown"]
    size_reason: str
    only_caller: str | None  # if nearly all calls come from one service


class SystemSizeDocument(TypedDict):
    """How many services there are for what they do."""

    services: int
    edges: int
    density: float | None  # of possible edges
    mean_callees: float | None
    mutual_pairs: int
    callers_gini: float | None
    requests_per_second: float | None  # from outside; None where sampling is not known
    requests_per_second_per_service: float | None
    teams: int | None  # None if no span and no declaration names any
    services_per_team: float | None
    units: int | None  # groups that deploy together or write each other's data, single services among them
    label: Literal["ordinary", "too_many", "unknown"]
    label_reason: str


class StructureDocument(TypedDict):
    """The part ``structure``."""

    size: SystemSizeDocument
    services: list[ServiceShapeDocument]
    cycles: list[CycleDocument]
    status: StateName
    reason: str
