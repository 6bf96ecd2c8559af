"""The part ``scaling``: pairs, services with their label, and groups on one axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tracelith.analysis.base import Evidence
from tracelith.analysis.components import connected_sets
from tracelith.analysis.scaling.contrast import Contrast, contrasts
from tracelith.analysis.scaling.facts import CAUSED_REQUESTS
from tracelith.analysis.scaling.instances import Instances, instance_correlation, read_instances
from tracelith.analysis.scaling.loads import Loads, read_loads
from tracelith.analysis.scaling.pairs import NEEDED_DAYS, AxisPair, Label, caused_pairs
from tracelith.analysis.statistics.intervals import proportion
from tracelith.model.findings import Estimate, State

__all__ = ["NO_REQUESTS", "part_without_evidence", "scaling_part"]

NO_REQUESTS = "no requests yet"

MOST_CONTRASTS = 500
"""Pairs listed that differ without calling each other; of very many, those with most requests."""

FEWEST_COMPARED = 3
"""Other services that one must be compared with before it is said to differ from most (own)."""


@dataclass(frozen=True, slots=True)
class _Known:
    """All that documents are made of. group: number of the group of each service, groups of one included."""

    loads: Loads
    pairs: Sequence[AxisPair]
    contrast: Contrast
    group: Mapping[str, int]
    groups: Sequence[Sequence[str]]
    instances: Mapping[str, Instances]
    caused: pl.DataFrame
    seconds: float


def scaling_part(evidence: Evidence) -> dict[str, Any]:
    """The part of the document, from facts."""
    loads = read_loads(evidence)
    if not loads.services:
        return part_without_evidence(NO_REQUESTS)
    if loads.days < NEEDED_DAYS or not loads.weekend:
        reason = f"{NEEDED_DAYS} days with a weekend among them are needed, requests came on {loads.days}"
        return part_without_evidence(reason)
    known = _known(evidence, loads)
    services = [_service(known, at) for at in range(len(loads.services))]
    services.sort(key=lambda row: (_LABELS.index(row["label"]), -row["requests"], row["service"]))
    judged = [row["service"] for row in services if row["label"] != "unknown"]
    together = {name for group in known.groups for name in group}
    reason = "" if judged else "no service handled enough requests to tell its busy hours from its quiet ones"
    return {
        "services": services,
        "pairs": [*(_caused(pair) for pair in _same_first(known.pairs)), *_contrasting(known)],
        "groups": [list(group) for group in known.groups],
        "same_axis_share": proportion(
            sum(name in together for name in judged), len(judged), reason="no service could be compared"
        ).document(),
        "status": str(State.OK if judged else State.INSUFFICIENT_DATA),
        "reason": reason,
    }


def part_without_evidence(reason: str) -> dict[str, Any]:
    """The part when nothing can be said."""
    lacking = Estimate(None, state=State.INSUFFICIENT_DATA, reason=reason)
    return {
        "services": [],
        "pairs": [],
        "groups": [],
        "same_axis_share": lacking.document(),
        "status": str(lacking.state),
        "reason": reason,
    }


_LABELS: tuple[Label, ...] = ("same_axis", "own_axis", "unclear", "unknown")


def _known(evidence: Evidence, loads: Loads) -> _Known:
    caused = evidence.facts.merged(CAUSED_REQUESTS)
    instances = read_instances(evidence, loads.block_ns)
    pairs = caused_pairs(loads, caused, instances)
    same = [(pair.a, pair.b) for pair in pairs if pair.label == "same_axis"]
    axes = connected_sets(loads.services, same)
    return _Known(
        loads=loads,
        pairs=pairs,
        contrast=contrasts(loads),
        group={name: at for at, names in enumerate(axes) for name in names},
        groups=sorted((list(names) for names in axes if len(names) > 1), key=lambda names: (-len(names), names)),
        instances=instances,
        caused=caused.filter(pl.col("direct") > 0).sort("direct", "cause", descending=[True, False]),
        seconds=(evidence.end_ns - evidence.start_ns) / 1e9,
    )


def _service(known: _Known, at: int) -> dict[str, Any]:
    loads, name = known.loads, known.loads.services[at]
    requests = int(loads.requests[:, at].sum())
    label, reason = _label(known, at)
    callers = known.caused.filter(service=name)
    direct = int(callers["direct"][0]) if len(callers) else 0
    seen = known.instances.get(name)
    return {
        "service": name,
        "requests": requests,
        "per_second": None if loads.unweighted[at] else float(loads.weight[:, at].sum()) / known.seconds,
        "fewest_instances": seen.fewest if seen else None,
        "most_instances": seen.most if seen else None,
        "main_caller": str(callers["cause"][0]) if len(callers) else None,
        "main_caller_share": proportion(direct, requests).document(),
        "label": label,
        "status": str(State.OK if label != "unknown" else State.INSUFFICIENT_DATA),
        "reason": reason,
    }


def _label(known: _Known, at: int) -> tuple[Label, str]:
    """Own axis before same axis: services that grow together may differ from all others."""
    name, group = known.loads.services[at], known.group
    inside = np.array([group[other] == group[name] for other in known.loads.services])
    count = int((known.contrast.compared[at] & ~inside).sum())
    differs = int((known.contrast.differs[at] & ~inside).sum())
    # Companions count as alike: otherwise everybody would differ from "most others" where most are one group.
    if count >= FEWEST_COMPARED and differs > (count + int(inside.sum()) - 1) / 2:
        return "own_axis", ""
    if any(name in members for members in known.groups):
        return "same_axis", ""
    if count or any(name in (pair.a, pair.b) and pair.state is State.OK for pair in known.pairs):
        return "unclear", ""
    return "unknown", "it handles too few requests to tell its busy hours from its quiet ones"


def _same_first(pairs: Sequence[AxisPair]) -> list[AxisPair]:
    return sorted(pairs, key=lambda pair: _LABELS.index(pair.label))


def _caused(pair: AxisPair) -> dict[str, Any]:
    return {
        "a": pair.a,
        "b": pair.b,
        "direct": pair.direct,
        "calls_per_request": pair.per_request,
        "dominance": pair.dominance.document(),
        "ratio_cv": pair.cv,
        "elasticity": pair.follows.slope.document(),
        "r_squared": pair.follows.r_squared,
        "instance_correlation": pair.instances,
        "label": pair.label,
        "status": str(pair.state),
        "reason": pair.reason,
    }


def _contrasting(known: _Known) -> list[dict[str, Any]]:
    """Pairs that surely differ and of which neither causes most of the other's requests."""
    loads = known.loads
    totals = loads.requests.sum(axis=0)
    listed = {frozenset((pair.a, pair.b)) for pair in known.pairs}
    ends = np.argwhere(np.triu(known.contrast.differs, 1))
    order = np.argsort(-np.minimum(totals[ends[:, 0]], totals[ends[:, 1]]), kind="stable")
    rows = []
    for one, other in ends[order].tolist():
        a, b = (one, other) if totals[one] >= totals[other] else (other, one)
        if frozenset((loads.services[a], loads.services[b])) not in listed:
            rows.append(_contrast(known, a, b))
        if len(rows) == MOST_CONTRASTS:
            break
    return rows


def _contrast(known: _Known, a: int, b: int) -> dict[str, Any]:
    untold = "neither causes most of the other's requests, so one cannot be said to follow the other"
    nothing = Estimate(None, state=State.NOT_IDENTIFIABLE, reason=untold)
    names = known.loads.services[a], known.loads.services[b]
    told = known.instances.get(names[0]), known.instances.get(names[1])
    return {
        "a": names[0],
        "b": names[1],
        "direct": False,
        "calls_per_request": None,
        "dominance": nothing.document(),
        "ratio_cv": float(known.contrast.cv[a, b]),
        "elasticity": nothing.document(),
        "r_squared": None,
        "instance_correlation": instance_correlation(told[0], told[1]) if told[0] and told[1] else None,
        "label": "own_axis",
        "status": str(State.OK),
        "reason": "",
    }
