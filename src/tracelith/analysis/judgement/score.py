"""The distributed-monolith score: a weighted mean of ramps over what could be measured (metrics.md §15).

The weights and ramps are proposals, not science. Each component enters with the lower bound of its interval, so that
sparse evidence never inflates the score, and without enough components there is no score at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tracelith.model.findings import State

__all__ = ["COMPONENTS", "Component", "Measure", "Score", "component", "label_of", "score_of"]

LEAST_COVERAGE = 0.6
"""Share of the weight that must have evidence before there is a score."""

STRONG = 0.5
"""A component this high makes its family count towards the verdict."""

MONOLITH_SCORE, RISK_SCORE = 60.0, 35.0
GATE_FAMILIES = frozenset({"deploy", "data", "runtime"})


@dataclass(frozen=True, slots=True)
class Measure:
    """What a component measures: 0 up to ``least``, 1 from ``most`` on."""

    name: str
    family: str
    least: float
    most: float
    weight: float
    title: str


COMPONENTS = (
    Measure("deploy", "deploy", 0.0, 0.5, 0.25, "deploying together"),
    Measure("depth", "runtime", 2.0, 6.0, 0.15, "synchronous depth"),
    Measure("tail", "runtime", 0.3, 0.9, 0.10, "tail latency made elsewhere"),
    Measure("writers", "data", 1.0, 2.0, 0.15, "data ownership"),
    Measure("failure", "runtime", 0.2, 0.8, 0.15, "failure propagation"),
    Measure("queues", "runtime", 0.0, 0.5, 0.05, "waiting behind queues"),
    Measure("pass_through", "runtime", 0.05, 0.30, 0.05, "pass-through services"),
    Measure("axis", "scale", 0.5, 0.95, 0.10, "scaling together"),
)
"""In the order of metrics.md §15; weights add up to 1."""


@dataclass(frozen=True, slots=True)
class Component:
    """One measured component.

    Attributes:
        measure: which.
        value: 0 to 1 from the lower bound of the evidence, None without evidence.
        high: 0 to 1 from the upper bound.
    """

    measure: Measure
    value: float | None
    high: float | None

    @property
    def state(self) -> State:
        """ok with evidence."""
        return State.INSUFFICIENT_DATA if self.value is None else State.OK


@dataclass(frozen=True, slots=True)
class Score:
    """The verdict's numbers.

    Attributes:
        value: 0 to 100 from lower bounds, None with too little evidence. high: from upper bounds.
        coverage: share of the weight that had evidence.
        label: not scored, or what label_of calls it.
    """

    value: float | None
    high: float | None
    coverage: float
    label: str


def component(measure: Measure, low: float | None, high: float | None = None) -> Component:
    """A component from the interval of its evidence; without an upper bound the lower one counts for both."""
    if low is None:
        return Component(measure, None, None)
    upper = low if high is None else max(low, high)
    return Component(measure, _ramp(measure, low), _ramp(measure, upper))


def _ramp(measure: Measure, x: float) -> float:
    return min(1.0, max(0.0, (x - measure.least) / (measure.most - measure.least)))


def score_of(components: Sequence[Component]) -> Score:
    """The score over the components with evidence."""
    known = [(one.measure.weight, one.value, one.high) for one in components if one.value is not None]
    coverage = sum(weight for weight, _, _ in known)
    # A hair of slack: the sum of the weights is not exact in binary.
    if coverage < LEAST_COVERAGE - 1e-9:
        return Score(None, None, coverage, "not scored")
    value = 100 * sum(weight * low for weight, low, _ in known) / coverage
    high = 100 * sum(weight * (upper or 0.0) for weight, _, upper in known) / coverage
    return Score(value, high, coverage, label_of(value, components))


def label_of(score: float, components: Sequence[Component]) -> str:
    """What a score is called; one strong family alone is never called a distributed monolith."""
    strong = {one.measure.family for one in components if one.value is not None and one.value >= STRONG}
    if len(strong & GATE_FAMILIES) >= 2:
        if score >= MONOLITH_SCORE:
            return "distributed monolith"
    elif strong == {"deploy"}:
        return "release train"
    elif strong & GATE_FAMILIES == {"runtime"}:
        return "deep synchronous architecture"
    return "at risk" if score >= RISK_SCORE else "independent"
