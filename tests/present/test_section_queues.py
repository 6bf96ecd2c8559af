"""What the page about queues says first: who waits, who stood still, and what is not known."""

import numpy as np
import plotly.graph_objects as go

from analysis.queue_worlds import asking, listening, queues_of, steady, taken_text
from tracelith.present.sections.queues import SECTION

SPREAD = np.random.default_rng(3).lognormal(3.5, 0.8, 60)


def test_a_request_that_waits_is_told_with_who_answers() -> None:
    section = SECTION.describe(queues_of(asking(SPREAD, SPREAD + 5, answers=True)), "today")

    assert section.answer.tone == "notable"
    assert section.answer.claim == "auth · login waits until billing answers over a queue."
    assert "ms of waiting in the median" in section.answer.number
    headlines = [part.heading for part in section.parts if part.headline]
    assert headlines == ["Requests that wait for an answer over a queue"]


def test_a_group_that_stood_still_is_told_with_a_chart_of_when() -> None:
    section = SECTION.describe(queues_of(taken_text(listening(steady(0, 2_400, 10), 1_000, 1_400))), "today")

    assert section.answer.claim == "No request does, but kafka events views stood still."
    assert section.answer.number == "6.67 min"
    (chart,) = [part.chart for part in section.parts if part.chart is not None]
    assert len(go.Figure(chart.figure).data[0].x) == len(chart.twin.rows) == 1


def test_a_system_whose_messages_nobody_waits_for_is_fine() -> None:
    section = SECTION.describe(queues_of(asking(SPREAD, np.full(60, 1.0), answers=False)), "today")

    assert (section.answer.tone, section.answer.claim) == ("fine", "No request does.")


def test_without_messages_nothing_is_called_fine() -> None:
    section = SECTION.describe(queues_of("shop  SERVER page  0..10ms"), "today")

    assert (section.answer.tone, section.answer.claim) == ("unknown", "Not known yet.")
    assert section.parts == ()
