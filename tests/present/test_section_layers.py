"""What people read about layers and about what scales together."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from analysis.test_pass_through import HANDING_ON, LAYERS, concluded
from document_parts import estimate, missing
from documents import empty_document
from tracelith.present.section import Section, SectionKind
from tracelith.present.sections.layers import SECTION as LAYERS_SECTION
from tracelith.present.sections.scaling import SECTION as SCALING_SECTION

EVIL = "mid\u202e<script>"


def section_of(kind: SectionKind, document: dict[str, Any]) -> Section:
    return kind.describe({**empty_document(), **document}, "seven days")  # type: ignore[typeddict-item]  # a test's


def rows(section: Section, heading: str) -> list[dict[str, str]]:
    part = next(part for part in section.parts if part.heading == heading)
    table = part.table or (part.chart.twin if part.chart else None)
    assert table is not None
    return [dict(zip((column.title for column in table.columns), row, strict=True)) for row in table.rows]


def service(name: str, label: str, **more: Any) -> dict[str, Any]:
    settled = {
        "service": name,
        "requests": 4200,
        "per_second": 1.5,
        "fewest_instances": 2,
        "most_instances": 6,
        "main_caller": "front",
        "main_caller_share": estimate(1.0, 0.99, 1.0),
        "label": label,
        "status": "ok" if label != "unknown" else "insufficient_data",
        "reason": "",
    }
    return settled | more


def pair(a: str, b: str, label: str) -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "direct": True,
        "calls_per_request": 1.4,
        "dominance": estimate(0.99, 0.98, 1.0),
        "ratio_cv": 0.04,
        "elasticity": estimate(1.01, 0.97, 1.05),
        "r_squared": 0.98,
        "instance_correlation": 0.7,
        "label": label,
        "status": "ok",
        "reason": "",
    }


def scaling(name: str = "back") -> dict[str, Any]:
    services = [
        service("front", "same_axis", main_caller=None),
        service(name, "same_axis"),
        service("batch", "own_axis", fewest_instances=1),
        service("rare", "unknown", fewest_instances=None, most_instances=None),
    ]
    part = {
        "services": services,
        "pairs": [pair("front", name, "same_axis"), pair("front", "batch", "own_axis")],
        "groups": [[name, "front"]],
        "same_axis_share": estimate(2 / 3, 0.2, 0.94, n=3),
        "status": "ok",
        "reason": "",
    }
    return {"scaling": part}


@pytest.fixture(scope="module")
def layered() -> dict[str, Any]:
    return concluded(LAYERS, copies=220)


def test_layers_are_told_with_the_requests_that_pass_them(layered: dict[str, Any]) -> None:
    section = section_of(LAYERS_SECTION, layered)

    assert section.answer.claim == "The system is cut by layer: web → mid → data."
    assert section.answer.number.startswith("100 % (95 %: ")
    assert section.answer.tone == "notable"
    assert rows(section, "Layers that nearly every request passes")[0]["Hops saved"] == "2"
    told = rows(section, "Services that only hand requests on")
    assert [(row["Service"], row["Hands on to"]) for row in told] == [("mid", "data"), ("web", "mid")]
    assert told[0]["Time saved"].startswith("1.6 ms")


def test_one_service_that_only_hands_on_is_named() -> None:
    section = section_of(LAYERS_SECTION, concluded(HANDING_ON))

    assert section.answer.claim == "mid only hands requests on."
    operations = rows(section, "Their operations")
    assert (operations[0]["Operation"], operations[0]["Usually calls"]) == ("mid · GET /m", "data · GET /d")


def test_a_service_that_is_spared_is_shown_with_the_reason() -> None:
    alone = HANDING_ON.split("6..56ms\n", 1)[1]

    section = section_of(LAYERS_SECTION, concluded(alone))

    assert section.answer.claim == "Every service does something of its own."
    (row,) = rows(section, "Services that hand on for a reason")
    assert (row["Service"], row["What it is"]) == ("mid", "gateway")
    assert row["Why it is not accused"] == "requests from outside come in here"


def test_services_on_one_load_and_those_with_hours_of_their_own_are_told() -> None:
    section = section_of(SCALING_SECTION, scaling())

    assert section.answer.claim == "back and front answer to one load."
    assert "batch is busy at hours of its own" in section.answer.reading
    assert section.answer.tone == "fine"
    assert rows(section, "Pairs on one load")[0]["Follows"] == "1.01 (95 %: 0.97–1.05)"
    (own,) = rows(section, "Services with busy hours of their own")
    assert (own["Service"], own["Instances"]) == ("batch", "1 to 6")
    assert [row["Service"] for row in rows(section, "Instances")] == ["batch", "back", "front"]
    everybody = next(part for part in section.parts if part.heading == "All services")
    assert everybody.text == "1 service handled too few requests to tell."


def test_without_evidence_nothing_reads_as_fine() -> None:
    lacking = missing("no requests yet")
    layers = {"services": [], "splits": [], "pass_through_share": lacking, "status": "insufficient_data"}
    nothing = {"services": [], "pairs": [], "groups": [], "same_axis_share": lacking, "status": "insufficient_data"}
    documents = (
        (LAYERS_SECTION, {"layers": layers | {"reason": "no requests yet"}}),
        (SCALING_SECTION, {"scaling": nothing | {"reason": "no requests yet"}}),
    )

    for kind, document in documents:
        section = section_of(kind, document)
        assert (section.answer.tone, section.answer.reading, section.parts) == ("unknown", "no requests yet", ())


def test_names_of_services_cannot_pose_as_anything_else() -> None:
    document = scaling(EVIL) | concluded(HANDING_ON.replace("mid ", f"{EVIL} "))

    for kind in (LAYERS_SECTION, SCALING_SECTION):
        section = section_of(kind, {**document, **scaling(EVIL)})
        told = json.dumps([section.answer.claim, [part.text for part in section.parts]], ensure_ascii=False)
        tables = [part.table or (part.chart.twin if part.chart else None) for part in section.parts]
        told += "".join(cell for table in tables if table for row in table.rows for cell in row)
        assert "\u202e" not in told
        assert "mid\ufffd<script>" in told
        for part in section.parts:
            if part.chart:
                assert "<script>" not in json.dumps(part.chart.figure)


def test_every_chart_is_a_figure_that_plotly_takes(layered: dict[str, Any]) -> None:
    sections = section_of(LAYERS_SECTION, layered), section_of(SCALING_SECTION, scaling())
    charts = [part.chart for section in sections for part in section.parts if part.chart]

    assert len(charts) == 2
    for chart in charts:
        go.Figure(chart.figure)
        assert chart.twin.rows
