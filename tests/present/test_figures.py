"""Every figure is one that Plotly accepts, says what it shows, and has a table with the same numbers."""

import json

import plotly.graph_objects as go
import pytest

from document_parts import edge, entry
from documents import empty_document, healthy_document, login_document
from tracelith.model.document import AnalysisDocument
from tracelith.present.answers import tail_by_entry
from tracelith.present.call_graph import call_graph
from tracelith.present.chart import Chart, Table, chart_id, markup
from tracelith.present.deployment_figures import deployment_timeline, lead_lag, pair_matrix
from tracelith.present.depth_figures import depth_distribution, latency_histogram
from tracelith.present.tail_figures import tail_attribution, tail_edges

PERIOD = "2025-12-08 to 2026-03-02"


def charts_of(document: AnalysisDocument) -> list[Chart]:
    codeployment = document["codeployment"]
    charts = [draw(codeployment, PERIOD) for draw in (deployment_timeline, pair_matrix, lead_lag)]
    charts.append(call_graph(document["edges"], PERIOD))
    for operation in document["entry_operations"]:
        charts += [depth_distribution(operation, PERIOD), latency_histogram(operation, PERIOD)]
    charts += [tail_attribution(hops, PERIOD) for hops in tail_by_entry(document["tail"]).values()]
    return charts


@pytest.mark.parametrize("document", [login_document(), healthy_document(), empty_document()])
def test_plotly_accepts_every_property_of_every_figure(document):
    for chart in charts_of(document):
        go.Figure(chart.figure)
        json.dumps(chart.figure, allow_nan=False)


def test_every_chart_says_what_it_shows_and_its_twin_has_numbers():
    charts = charts_of(login_document())

    assert len({chart.id for chart in charts}) == len(charts)
    for chart in charts:
        assert chart.title
        assert chart.unit
        assert chart.reading
        assert chart.period == PERIOD
        assert all(len(row) == len(chart.twin.columns) for row in chart.twin.rows)


def test_chart_ids_are_fixed_and_safe_whatever_the_subject():
    hostile = chart_id("depth", '"><script>', "GET /\ud800")

    assert hostile == chart_id("depth", '"><script>', "GET /\ud800")
    assert hostile.replace("-", "").isalnum()


def test_depth_bars_show_the_histogram_in_percent():
    (login, *_) = login_document()["entry_operations"]

    (bars,) = depth_distribution(login, PERIOD).figure["data"]

    assert bars["x"] == [1, 2, 3, 4]
    assert sum(bars["y"]) == pytest.approx(100)


def test_quantiles_without_enough_requests_are_not_marked():
    rare = login_document()["entry_operations"][2]

    figure = latency_histogram(rare, PERIOD).figure

    assert figure["layout"]["shapes"] == []


def test_tail_bars_stand_largest_on_top_with_the_interval_as_whiskers():
    hops = tail_by_entry(login_document()["tail"])["gateway", "POST /login"]

    (bars,) = tail_attribution(hops, PERIOD).figure["data"]

    assert bars["x"][-1] == pytest.approx(71)
    assert bars["error_x"]["array"][-1] == pytest.approx(7)
    assert bars["error_x"]["arrayminus"][-1] == pytest.approx(7)
    assert min(bars["x"]) < 0


def test_a_pair_that_was_not_tested_leaves_its_cell_empty():
    codeployment = login_document()["codeployment"]

    (heat,) = pair_matrix(codeployment, PERIOD).figure["data"]

    tested = sum(cell is not None for row in heat["z"] for cell in row)
    assert tested == 2 * sum(pair["excess_low"] is not None for pair in codeployment["pairs"])
    assert all(heat["z"][i][i] is None for i in range(len(heat["z"])))


def test_timeline_whiskers_reach_back_to_the_earliest_possible_moment():
    codeployment = login_document()["codeployment"]
    codeployment["deployments"] = [
        {
            "service": "auth",
            "version": "2",
            "at": "2026-01-05T10:00:00Z",
            "earliest": "2026-01-05T09:30:00Z",
            "source": "traces",
        }
    ]

    coupled, _ = deployment_timeline(codeployment, PERIOD).figure["data"]

    assert coupled["error_x"]["arrayminus"] == [30 * 60 * 1000]


def test_callees_stand_right_of_their_callers_and_cycles_end():
    edges = [edge("a", "b", 9), edge("b", "c", 8), edge("c", "a", 7), edge("a", "c", 6), edge("x", "a", 5)]

    *_, nodes = call_graph(edges, PERIOD).figure["data"]

    column = dict(zip(nodes["text"], nodes["x"], strict=True))
    assert set(column) == {"a", "b", "c", "x"}
    assert column["x"] < column["a"]


def test_a_chain_is_drawn_in_one_column_per_hop():
    edges = [edge("gateway", "auth", 9), edge("auth", "user", 8), edge("gateway", "user", 7)]

    *_, nodes = call_graph(edges, PERIOD).figure["data"]

    assert dict(zip(nodes["text"], nodes["x"], strict=True)) == {"gateway": 0, "auth": 1, "user": 2}


def test_span_names_are_no_markup_for_plotly():
    hostile = '<a href="https://evil.example/">x</a>&lt;b'
    operation = entry(hostile, hostile, 300, {1: 300}, "typical", (1.0, 2.0, 3.0), [[hostile]])

    drawn = json.dumps(
        [depth_distribution(operation, PERIOD).figure, call_graph([edge(hostile, "b", 1)], PERIOD).figure]
    )

    assert "<a" not in drawn
    assert markup("<b>&") == "&lt;b&gt;&amp;"


def test_calls_are_listed_once_and_columns_without_a_number_are_left_out():
    hops = tail_by_entry(login_document()["tail"])["gateway", "POST /login"]
    into = [hop for hop in hops if hop["hop"] == "permissions"]
    into[0]["propagation"] = hops[1]["propagation"]

    table = tail_edges(hops)

    assert [row[0] for row in table.rows] == ["billing → permissions"]
    assert Table.of(("Name", "#A", "#B"), [("x", "–", "1")]).without_empty_columns().columns[1].title == "B"


def test_hops_too_small_to_see_are_in_the_table_only():
    hops = tail_by_entry(login_document()["tail"])["gateway", "POST /login"]
    small = [{**hops[-1], "hop": f"small {i}", "share": 0.0001} for i in range(30)]

    chart = tail_attribution([*hops, *small], PERIOD)

    assert len(chart.figure["data"][0]["y"]) == 5
    assert "30 smallest of 35" in chart.reading
    assert len(chart.twin.rows) == 35
