"""Where services begin to stand out, and circles to matter: one case on each side of every limit."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pytest

from analysis.test_structure import STRAIGHT, structure_of
from tracelith.analysis.structure.cycles import Circle
from tracelith.analysis.structure.findings import REENTERED, REENTRY_SHARE, structure_findings
from tracelith.analysis.structure.graph import service_graph
from tracelith.analysis.structure.services import WorkOfServices, service_shapes
from tracelith.analysis.structure.size import _units
from tracelith.model.declarations import Declarations
from tracelith.model.findings import Estimate

RING = tuple(f"s{at:02}" for at in range(30))
EDGES = tuple(zip(RING, (*RING[1:], RING[0]), strict=True))
"""Everybody calls one service and is called by one."""

NO_CALLS = pl.DataFrame(schema={"caller": pl.String, "callee": pl.String})


def shapes_of(
    edges: Sequence[tuple[str, str]], first: Mapping[str, int] | None = None, *, usual_operations: int = 2
) -> dict[str, Mapping[str, Any]]:
    """Shapes of the services of the ring, the first of which works as told, by name."""
    usual = {"requests": 500, "own_ns": 500_000_000, "outside": 0, "operations": usual_operations}
    rows = [{"service": name, **usual, **((first or {}) if name == RING[0] else {})} for name in RING]
    work = WorkOfServices(pl.DataFrame(rows), dict.fromkeys(RING, 1.0), NO_CALLS)
    return {shape["service"]: shape for shape in service_shapes(work, service_graph(RING, edges), Declarations())}


def neighbours(callers: int, callees: int) -> list[tuple[str, str]]:
    """The ring, in which the first service has so many callers and callees."""
    inward = [(name, RING[0]) for name in RING[5 : 4 + callers]]
    return [*EDGES, *inward, *((RING[0], name) for name in RING[15 : 14 + callees])]


@pytest.mark.parametrize(("callers", "callees"), [(12, 1), (1, 12), (12, 3)])
def test_a_service_with_many_neighbours_on_one_side_alone_is_not_accused_of_being_a_hub(
    callers: int, callees: int
) -> None:
    shape = shapes_of(neighbours(callers, callees))[RING[0]]

    assert (shape["callers"], shape["callees"], shape["hub"]) == (callers, callees, False)


@pytest.mark.parametrize(("degree", "hub"), [(3, False), (4, True)])
def test_a_hub_has_four_neighbours_on_each_side_even_where_others_have_one(degree: int, hub: bool) -> None:
    shapes = shapes_of(neighbours(degree, degree))

    assert [name for name, shape in shapes.items() if shape["hub"]] == [RING[0]] * hub


def test_a_hub_is_told_also_where_every_other_service_has_two_neighbours_on_each_side() -> None:
    across = zip(RING[10:], (*RING[12:], *RING[10:12]), strict=True)

    shapes = shapes_of([*neighbours(9, 9), *across])

    assert [name for name, shape in shapes.items() if shape["hub"]] == [RING[0]]


def test_two_operations_are_not_many_even_where_most_services_have_one() -> None:
    few = {"operations": 2, "own_ns": 90_000_000_000}

    assert shapes_of(neighbours(14, 1), few, usual_operations=1)[RING[0]]["size"] == "ordinary"


def test_many_operations_alone_are_not_accused_of_being_too_large() -> None:
    assert shapes_of(EDGES, {"operations": 40})[RING[0]]["size"] == "ordinary"


@pytest.mark.parametrize(
    ("edges", "more"), [(EDGES, {"own_ns": 90_000_000_000}), (neighbours(14, 1), {})], ids=["work", "callers"]
)
def test_many_operations_with_much_work_or_many_callers_are_very_large(
    edges: Sequence[tuple[str, str]], more: Mapping[str, int]
) -> None:
    assert shapes_of(edges, {"operations": 40, **more})[RING[0]]["size"] == "mega"
    assert shapes_of(edges, more)[RING[0]]["size"] == "ordinary"


@pytest.mark.parametrize(
    ("times", "low", "severity"),
    [
        (REENTERED, REENTRY_SHARE, "warning"),
        (REENTERED - 1, REENTRY_SHARE, "info"),
        (1_000, 0.9 * REENTRY_SHARE, "info"),
    ],
)
def test_a_circle_that_hardly_any_request_goes_round_is_not_accused(times: int, low: float, severity: str) -> None:
    share = Estimate(0.01, low, 0.02, 100_000, 100_000.0)
    document = {
        "services": ["a", "b"],
        "edges": ["a → b", "b → a"],
        "reentry_share": share.document(),
        "kind": "runtime",
        "trace_ids": [],
    }

    (finding,) = structure_findings([Circle(document, share, times, "a")], [], {"label": "ordinary"})

    assert str(finding.severity) == severity


@pytest.mark.parametrize(("status", "units"), [("ok", 2), ("insufficient_data", 3)])
def test_only_services_that_surely_write_each_others_data_are_one_unit(status: str, units: int) -> None:
    deployed = {"pairs": [{"a": "a", "b": "b", "label": "none"}]}
    written = {"pairs": [{"a": "b", "b": "c", "written": True, "overlap": {"status": status}}]}

    assert _units(("a", "b", "c"), {"codeployment": deployed, "datastores": written}) == units


def test_teams_are_not_counted_where_half_of_the_services_name_none() -> None:
    document = structure_of(STRAIGHT.replace("shop", "sales/shop"), copies=5, windows=1)

    assert document["structure"]["size"]["teams"] is None
