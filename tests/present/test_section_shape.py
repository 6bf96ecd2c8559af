"""What people read about chatter, the shape of the system and hidden coupling."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from analysis.test_chatty_calls import chatter_of, request, statements
from analysis.test_hidden_coupling import concluded_from, deployed, edge
from analysis.test_structure import ROUND, STRAIGHT, structure_of
from documents import empty_document
from tracelith.present.section import Part, Section, SectionKind
from tracelith.present.sections.chatter import SECTION as CHATTER
from tracelith.present.sections.coupling import SECTION as COUPLING
from tracelith.present.sections.structure import SECTION as STRUCTURE

EVIL = "shop\u202e<script>"


def section_of(kind: SectionKind, document: dict[str, Any]) -> Section:
    return kind.describe({**empty_document(), **document}, "seven days")  # type: ignore[typeddict-item]  # a test's


def part_of(section: Section, heading: str) -> Part:
    return next(part for part in section.parts if part.heading == heading)


def rows(section: Section, heading: str) -> list[dict[str, str]]:
    part = part_of(section, heading)
    table = part.table or (part.chart.twin if part.chart else None)
    assert table is not None
    return [dict(zip((column.title for column in table.columns), row, strict=True)) for row in table.rows]


@pytest.fixture(scope="module")
def looping() -> dict[str, Any]:
    job = request(*statements(30), head="shop INTERNAL export 0..1000ms")
    return chatter_of(request(*statements(12)), job)


@pytest.fixture(scope="module")
def circling() -> dict[str, Any]:
    others = "a SERVER G 0..9ms\n  a CLIENT x 1..8ms\n    b SERVER H 2..7ms"
    return structure_of(ROUND, STRAIGHT, others)


def coupled() -> dict[str, Any]:
    pairs = [deployed("a", "b"), deployed("b", "c")]
    return dict(concluded_from(edges=[edge("b", "c"), edge("c", "d")], deploy=pairs).document)


def test_a_loop_is_told_with_what_it_costs(looping: dict[str, Any]) -> None:
    section = section_of(CHATTER, looping)

    assert section.answer.claim == "shop · GET /orders calls postgresql shop in a loop."
    assert section.answer.number == "12 (95 %: 12–12) calls"
    assert "96 ms of a request, of which one call for all would save up to 88 ms" in section.answer.reading
    assert section.answer.tone == "notable"
    (row,) = rows(section, "Calls in a loop")
    assert (row["Operation"], row["Calls"], row["For what"]) == (
        "shop · GET /orders",
        "postgresql shop",
        "SELECT order_lines",
    )
    table = part_of(section, "Calls in a loop").table
    assert table is not None
    assert len(table.traces[0]) == 3


def test_loops_that_nobody_waits_for_stand_apart(looping: dict[str, Any]) -> None:
    (row,) = rows(section_of(CHATTER, looping), "Many calls that nobody waits for one by one")

    assert (row["Operation"], row["Done by"], row["How"]) == ("shop · export", "a job", "in a loop")


def test_without_loops_the_answer_is_that_there_are_none() -> None:
    section = section_of(CHATTER, chatter_of(request(*statements(2))))

    assert (section.answer.claim, section.answer.tone) == ("None that people wait for.", "fine")


def test_a_circle_is_told_with_how_many_come_back(circling: dict[str, Any]) -> None:
    section = section_of(STRUCTURE, circling)

    assert section.answer.claim == "price and shop call each other in a circle."
    assert section.answer.number.startswith("50 % (95 %: ")
    assert section.answer.tone == "notable"
    (row,) = rows(section, "Circles")
    assert (row["Services"], row["Calls"]) == ("price, shop", "price → shop, shop → price")
    assert row["Closed by"] == "the same request comes back"


def test_size_and_services_say_only_what_is_known(circling: dict[str, Any]) -> None:
    section = section_of(STRUCTURE, circling)

    size = {row["What"]: row["How many"] for row in rows(section, "Size")}
    assert (size["Services"], size["Pairs of a caller that waits and a callee"]) == ("4", "3")
    assert "Teams" not in size
    services = rows(section, "All services")
    assert "Team" not in services[0]
    assert {row["Service"] for row in services} == {"shop", "price", "a", "b"}


def test_hidden_pairs_come_first_and_plain_calls_are_counted() -> None:
    section = section_of(COUPLING, coupled())

    assert section.answer.claim == "a and b: deployed together."
    assert section.answer.number == "1 pair"
    assert "Of the pairs that call each other, 1 are bound by nothing else" in section.answer.reading
    assert section.answer.tone == "notable"
    (hidden,) = rows(section, "Bound without a call")
    assert (hidden["Bound by"], hidden["Connected by"], hidden["Deployments"]) == (
        "deployed together",
        "nothing",
        "0.6",
    )
    (connected,) = rows(section, "Bound, and connected")
    assert connected["Connected by"] == "calls"


def test_nothing_hidden_is_a_good_answer() -> None:
    section = section_of(COUPLING, dict(concluded_from(edges=[edge("a", "b")]).document))

    assert section.answer.claim == "Nothing that could be told: every bond has a call beside it."
    assert section.answer.tone == "fine"


@pytest.mark.parametrize("kind", [CHATTER, STRUCTURE, COUPLING], ids=lambda kind: str(kind.topic))
def test_without_evidence_nothing_reads_as_fine(kind: SectionKind) -> None:
    section = section_of(kind, {})

    assert (section.answer.claim, section.answer.tone) == ("Not known yet.", "unknown")
    assert section.answer.reading


def test_every_figure_is_one_that_plotly_draws(looping: dict[str, Any], circling: dict[str, Any]) -> None:
    sections = (section_of(CHATTER, looping), section_of(STRUCTURE, circling), section_of(COUPLING, coupled()))

    charts = [part.chart for section in sections for part in section.parts if part.chart]

    assert len(charts) == 3
    for chart in charts:
        go.Figure(chart.figure)
        assert chart.twin.rows


def test_names_from_spans_are_made_printable() -> None:
    text = request(*statements(12)).replace("shop ", f"{EVIL} ")
    looping = section_of(CHATTER, chatter_of(text))
    circling = section_of(STRUCTURE, structure_of(ROUND.replace("shop ", f"{EVIL} ")))

    for section in (looping, circling):
        figures = json.dumps([part.chart.figure for part in section.parts if part.chart], ensure_ascii=False)
        assert "\u202e" not in repr(section).replace("\\u202e", "\u202e")
        assert "<script>" not in figures
