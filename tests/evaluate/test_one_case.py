"""A case that is asked one question gives the answers that it gives among all questions."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelith.evaluate import one_case
from tracelith.evaluate.baselines import METHODS
from tracelith.evaluate.claims import SPANS, Case, Evidence, Method
from tracelith.evaluate.detectors import DETECTORS, TOPICS, detector, of_topics
from tracelith.evaluate.one_case import evaluate_case, simulation_of
from tracelith.evaluate.pipeline import observe
from tracelith.simulate import Simulation

ALL = tuple(one.name for one in DETECTORS)
# Called healthy so that alarms are judged too.
LOGIN = Case("login", 1, 8, 6_000, healthy=True, detectors=ALL)

Observer = Callable[..., Evidence]


@pytest.fixture(scope="module")
def observed() -> Observer:
    """The real pipeline, run once with spans and once without: what it sees does not depend on what is asked."""

    @cache
    def once(with_spans: bool) -> Evidence:
        return observe(simulation_of(LOGIN), with_spans=with_spans)

    def observer(_simulation: Simulation, *, with_spans: bool) -> Evidence:
        return once(with_spans)

    return observer


@pytest.fixture(scope="module")
def everything(observed: Observer) -> pl.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_case, "observe", observed)
        return evaluate_case(LOGIN).rows


SOME = tuple(names[place] for topic in TOPICS for names in [of_topics(topic)] for place in sorted({0, len(names) - 1}))
"""The first and the last detector of every topic."""


def test_every_topic_is_asked_about(everything: pl.DataFrame) -> None:
    asked = {detector(name).topic for name in everything["detector"].unique()}

    assert asked == set(TOPICS)


@pytest.mark.parametrize("name", SOME)
def test_a_detector_asked_alone_is_answered_as_among_all_others(
    name: str, observed: Observer, everything: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_case, "observe", observed)

    alone = evaluate_case(replace(LOGIN, detectors=(name,))).rows

    assert_frame_equal(alone, everything.filter(detector=name))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_says_that_it_needs_spans_if_its_claims_rest_on_them(method: Method, observed: Observer) -> None:
    evidence = observed(None, with_spans=True)

    blind = method.judge(replace(evidence, spans=pl.DataFrame(schema=SPANS)))

    assert (blind != method.judge(evidence)) is method.needs_spans
