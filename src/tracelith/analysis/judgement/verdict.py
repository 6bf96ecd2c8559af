"""The verdict: the score where enough could be measured, its components, and the answer in one sentence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracelith.analysis.judgement.score import COMPONENTS, Component, component, score_of
from tracelith.analysis.judgement.verdict_sentence import sentence_of
from tracelith.model.findings import State

__all__ = ["components_of", "verdict_of"]

Bounds = tuple[float | None, float | None]
NOTHING: Bounds = (None, None)


def verdict_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document's verdict, from everything else in it."""
    components = components_of(document)
    score = score_of(components)
    return {
        "score": score.value,
        "ci_low": score.value,
        "ci_high": score.high,
        "coverage": score.coverage,
        "label": score.label,
        "sentence": sentence_of(document, components, score.label),
        "components": [
            {
                "name": one.measure.name,
                "family": one.measure.family,
                "value": one.value,
                "weight": one.measure.weight,
                "status": str(one.state),
            }
            for one in components
        ],
    }


def components_of(document: Mapping[str, Any]) -> list[Component]:
    """Every component of the score; those that nothing measures yet have no value."""
    bounds: dict[str, Bounds] = {
        "deploy": _deploy(document["codeployment"]),
        "depth": _depth(document["entry_operations"]),
        "tail": _tail(document["tail"]),
    }
    return [component(measure, *bounds.get(measure.name, NOTHING)) for measure in COMPONENTS]


def _deploy(codeployment: Mapping[str, Any]) -> Bounds:
    system = codeployment["system"]["lockstep_excess"]
    bounds = [tuple(system["ci"])] if system["status"] == State.OK and system["ci"] else []
    for pair in codeployment["pairs"]:
        if pair["status"] == State.OK and pair["excess_low"] is not None:
            coupled = pair["label"] in ("pair", "group")
            bounds.append((pair["excess_low"] if coupled else 0.0, pair["excess"] if coupled else 0.0))
    return _largest(bounds)


def _depth(operations: Iterable[Mapping[str, Any]]) -> Bounds:
    p95s = (one["depth"]["p95"] for one in operations if one["status"] == State.OK)
    return _largest([tuple(p95["ci"]) for p95 in p95s if p95["ci"]])


def _tail(rows: Iterable[Mapping[str, Any]]) -> Bounds:
    known = [row for row in rows if row["status"] == State.OK and row["ci"]]
    # A tail that is not worth speaking of, or that the entry service or its next neighbour makes, couples nothing.
    coupling = ("remote", "far", "material", "slow_hop")
    return _largest([tuple(row["ci"]) if all(row[name] for name in coupling) else (0.0, 0.0) for row in known])


def _largest(bounds: Sequence[tuple[Any, ...]]) -> Bounds:
    if not bounds:
        return NOTHING
    return max(float(low) for low, _ in bounds), max(float(high) for _, high in bounds)
