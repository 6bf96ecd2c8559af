"""The score of metrics.md §15 and its gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelith.analysis.judgement.score import COMPONENTS, Component, component, score_of

ORACLE = {
    "deploy": 0.34,
    "depth": 4.0,
    "tail": 0.83,
    "writers": 1.5,
    "failure": 0.70,
    "queues": 0.0,
    "pass_through": 0.10,
    "axis": 0.90,
}


def components(values: dict[str, float]) -> list[Component]:
    return [component(measure, values.get(measure.name)) for measure in COMPONENTS]


def test_15_score_oracle() -> None:
    measured = components(ORACLE)

    score = score_of(measured)

    ramps = [one.value for one in measured]
    assert ramps == pytest.approx([0.68, 0.50, 0.8833, 0.50, 0.8333, 0.0, 0.20, 0.8889], abs=5e-5)
    assert score.value == pytest.approx(63.2, abs=0.05)
    assert score.coverage == pytest.approx(1.0)
    assert score.label == "distributed monolith"


def test_15_too_little_coverage_gives_components_and_no_score() -> None:
    score = score_of(components({"deploy": 0.5, "depth": 6.0, "tail": 0.9}))

    assert score.value is None
    assert score.high is None
    assert score.coverage == pytest.approx(0.5)
    assert score.label == "not scored"


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({"deploy": 0.5, "depth": 2, "tail": 0.1, "writers": 1, "failure": 0.1}, "release train"),
        ({"deploy": 0.0, "depth": 6, "tail": 0.9, "writers": 1, "failure": 0.8}, "deep synchronous architecture"),
        ({"deploy": 0.5, "depth": 6, "tail": 0.9, "writers": 2, "failure": 0.8}, "distributed monolith"),
        ({"deploy": 0.3, "depth": 5, "tail": 0.1, "writers": 1.2, "failure": 0.4}, "at risk"),
        ({"deploy": 0.0, "depth": 1, "tail": 0.1, "writers": 1, "failure": 0.1}, "independent"),
    ],
)
def test_15_verdict_gate(values: dict[str, float], label: str) -> None:
    assert score_of(components(values)).label == label


@given(st.sampled_from(list(ORACLE)), st.floats(0, 10))
def test_15_more_coupling_never_lowers_the_score(name: str, more: float) -> None:
    before = score_of(components(ORACLE)).value
    after = score_of(components({**ORACLE, name: ORACLE[name] + more})).value

    assert before is not None
    assert after is not None
    assert after >= before - 1e-9
