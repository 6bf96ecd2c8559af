"""Each service from its operations: how much of its work is passing on, and why some that do are not accused."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.call_facts import CALL_EDGES
from tracelith.analysis.layers.operations import judged_operations
from tracelith.analysis.shares import percent
from tracelith.analysis.statistics.intervals import proportion
from tracelith.model.declarations import Declarations
from tracelith.model.findings import Estimate, State
from tracelith.model.schema import is_folded

__all__ = ["Label", "PassingService", "passing_services"]

NEEDED_REQUESTS = 30
"""Requests of a service (own; metrics.md §19 says 200 of an operation): so many that behave alike put the lower bound
of their share at .92, and where they do not, the bounds say so."""

MOST_OF_THEM = 0.5
"""A service hands on when more than half of its requests are of operations that do, by the lower bound (own)."""

GATEWAY_CALLEES = 3
"""Who asks so many services is a gateway (metrics.md §11)."""

COUNTED_CALLEE = 0.01
"""A callee counts from this share of the calls on: one that is asked once a day makes nobody a gateway (own)."""

FROM_OUTSIDE = 0.1
"""A service stands at the edge if more than this share of what it hands on comes from outside (own): health checks and
people who try things out are fewer."""

GUARDED, ANSWERED = 0.01, 0.05
"""Shares of requests that a service turns away (a guard: authorisation, tenancy, validation) or answers without asking
(a cache in its own memory) from which on it does something of its own (own; lower bounds)."""

Label = Literal["pass_through", "gateway", "cache", "boundary", "works", "unknown"]


@dataclass(frozen=True, slots=True)
class PassingService:
    """One service.

    Attributes:
        share: of its requests, those of operations that pass through. label, reason: see PassThroughDocument.
        edge: it would be accused if requests from outside did not come in here.
        usual_callee: whom nearly all that it hands on goes to, empty if there is no such service. purity: the share of
            single calls that go to the usual operation.
        operations: rows of judged_operations.
    """

    service: str
    share: Estimate
    label: Label
    reason: str
    edge: bool
    callers: tuple[str, ...]
    callees: tuple[str, ...]
    usual_callee: str
    purity: float
    operations: tuple[Mapping[str, Any], ...]

    @property
    def hands_on(self) -> bool:
        """Whether it surely passes on most of what it is asked, for whatever reason."""
        return self.share.low is not None and self.share.low > MOST_OF_THEM


def passing_services(evidence: Evidence, handed_on: pl.DataFrame) -> list[PassingService]:
    """All services that handle requests, by name.

    Args:
        evidence: whose calls and declarations are read.
        handed_on: merged facts of HANDED_ON.
    """
    edges = evidence.facts.merged(CALL_EDGES).filter(pl.col("callee_kind") == "service")
    callers, callees = _ends(edges, "callee", "caller"), _ends(edges, "caller", "callee")
    operations = judged_operations(handed_on).sort("service", "requests", "operation", descending=[False, True, False])
    return [
        _service(str(service), rows.to_dicts(), callers.get(str(service), {}), callees.get(str(service), {}), evidence)
        for (service,), rows in operations.partition_by("service", as_dict=True, maintain_order=True).items()
        if not is_folded(str(service))
    ]


def _ends(edges: pl.DataFrame, of: str, end: str) -> dict[str, dict[str, int]]:
    """Calls by service at one end and service at the other."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for own, other, calls in edges.select(of, end, "calls").iter_rows():
        found[own][other] = calls
    return found


def _service(
    name: str,
    operations: list[dict[str, Any]],
    callers: Mapping[str, int],
    callees: Mapping[str, int],
    evidence: Evidence,
) -> PassingService:
    total = sum(row["requests"] for row in operations)
    passing = [row for row in operations if row["passes"]]
    share = proportion(
        sum(row["requests"] for row in passing),
        total,
        minimum=NEEDED_REQUESTS,
        reason=f"{NEEDED_REQUESTS} requests in complete traces are needed, {total} came",
    )
    counted = tuple(_counted(callees))
    label, reason, edge = _label(share, passing, _spared(name, passing, tuple(callers), counted, evidence.declarations))
    usual, purity = _usual(passing)
    return PassingService(
        service=name,
        share=share,
        label=label,
        reason=reason,
        edge=edge,
        callers=tuple(sorted(callers)),
        callees=tuple(sorted(callees)),
        usual_callee=usual,
        purity=purity,
        operations=tuple(operations),
    )


def _counted(callees: Mapping[str, int]) -> list[str]:
    total = sum(callees.values())
    return [callee for callee, calls in callees.items() if calls >= COUNTED_CALLEE * total]


def _usual(passing: list[dict[str, Any]]) -> tuple[str, float]:
    """The callee of nine tenths of what is handed on, and how purely its operations are mapped."""
    by_callee: dict[str, int] = defaultdict(int)
    for row in passing:
        by_callee[row["callee"]] += row["single"]
    single = sum(by_callee.values())
    if not single:
        return "", 0.0
    usual = max(by_callee, key=lambda callee: (by_callee[callee], callee))
    purity = sum(row["purity"] * row["single"] for row in passing) / single
    return (usual if by_callee[usual] > 0.9 * single else ""), purity


def _label(share: Estimate, passing: list[dict[str, Any]], spared: tuple[Label, str] | None) -> tuple[Label, str, bool]:
    if share.state is not State.OK or share.low is None:
        return "unknown", share.reason, False
    if share.low <= MOST_OF_THEM:
        return "works", "", False
    if spared is not None:
        return *spared, False
    requests = sum(row["requests"] for row in passing)
    if sum(row["from_outside"] for row in passing) > FROM_OUTSIDE * requests:
        return "gateway", "requests from outside come in here", True
    return "pass_through", "", False


def _spared(
    name: str,
    passing: list[dict[str, Any]],
    callers: tuple[str, ...],
    callees: tuple[str, ...],
    declared: Declarations,
) -> tuple[Label, str] | None:
    """Why a service that hands on is right to, whoever calls it."""
    if name in declared.gateways:
        return "gateway", "declared to be a gateway"
    if len(callees) >= GATEWAY_CALLEES:
        return "gateway", f"it stands before {len(callees)} services"
    return _own_doing(passing) or _boundary(callers, callees, declared)


def _own_doing(passing: list[dict[str, Any]]) -> tuple[Label, str] | None:
    """What a service does of its own beside handing on."""
    requests = sum(row["requests"] for row in passing)
    away, answered = (proportion(sum(row[kind] for row in passing), requests) for kind in ("turned_away", "answered"))
    if away.value is not None and (away.low or 0.0) >= GUARDED:
        return "works", f"it turns {percent(away.value)} of the requests away itself, as a guard does"
    if answered.value is not None and (answered.low or 0.0) >= ANSWERED:
        return "cache", f"it answers {percent(answered.value)} of the requests without asking anybody, as a cache does"
    if sum(row["translated"] for row in passing) > requests / 2:
        return "boundary", "it translates between HTTP and RPC"
    return None


def _boundary(callers: tuple[str, ...], callees: tuple[str, ...], declared: Declarations) -> tuple[Label, str] | None:
    """Whether those who call a service and those whom it calls belong to different teams: it keeps them apart."""
    above, below = _teams(declared, callers), _teams(declared, callees)
    if not above or not below or above & below:
        return None
    return "boundary", f"it stands between the teams {', '.join(sorted(above))} and {', '.join(sorted(below))}"


def _teams(declared: Declarations, services: tuple[str, ...]) -> set[str]:
    """Owners of all these services; empty if one of them is not known."""
    owners = [declared.service_owners.get(name, name.rpartition("/")[0]) for name in services]
    return set(owners) if all(owners) else set()
