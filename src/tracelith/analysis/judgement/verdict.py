"""The verdict: the score where enough could be measured, its components, and the answer in one sentence."""

from collections.abc import Mapping
from typing import Any

from tracelith.analysis.judgement.bounds import BOUNDS
from tracelith.analysis.judgement.score import COMPONENTS, Component, component, score_of
from tracelith.analysis.judgement.verdict_sentence import sentence_of

__all__ = ["components_of", "verdict_of"]


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
    """Every component of the score; those that could not be told have no value."""
    return [component(measure, *BOUNDS[measure.name](document)) for measure in COMPONENTS]
