"""The JSON API."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from document_parts import TRACE_IDS
from documents import login_document
from tracelith.present.sections import sections

DEPLOYMENT = {"service": "auth", "version": "2.1", "timestamp": "2026-02-20T10:00:00Z"}


def test_the_analysis_is_served_as_it_is_including_fields_of_later_versions(client, site):
    site.answer["later"] = {"added": 1}

    answer = client.get("/api/v1/analysis")

    assert answer.json() == json.loads(json.dumps(site.answer))
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("findings", "findings"),
        ("entry-operations", "entry_operations"),
        ("edges", "edges"),
        ("tail", "tail"),
        ("codeployment", "codeployment"),
        ("quality", "quality"),
    ],
)
def test_each_part_of_the_document_has_an_address(client, path, key):
    assert client.get(f"/api/v1/{path}").json() == login_document()[key]


@pytest.mark.parametrize("kind", sections(), ids=lambda kind: kind.part)
def test_each_topic_has_the_address_of_its_part(client, site, kind):
    site.answer[kind.part]["later"] = "added"

    assert client.get(f"/api/v1/{kind.part}").json() == json.loads(json.dumps(site.answer[kind.part]))


def test_environment_and_period_reach_the_analysis(client, site):
    client.get("/api/v1/findings", params={"environment": "staging", "since": "2026-01-05", "until": "2026-01-12"})

    ((environment, start_ns, end_ns),) = site.asked
    assert environment == "staging"
    assert end_ns - start_ns == 7 * 86_400 * 10**9


def test_a_wrong_period_is_a_problem_that_says_what_was_expected(client):
    answer = client.get("/api/v1/tail", params={"since": "last week"})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ISO 8601" in answer.json()["detail"]


def test_a_numeric_hole_in_a_document_stays_valid_json(client, site):
    site.answer["tail"][0]["mean_ms"] = float("nan")

    assert client.get("/api/v1/tail").json()[0]["mean_ms"] is None


def test_a_trace_comes_in_tree_order_with_what_was_waited_for(client):
    trace = client.get(f"/api/v1/traces/{TRACE_IDS[0].upper()}").json()

    assert trace["trace_id"] == TRACE_IDS[0]
    assert [row["service"] for row in trace["rows"]][:3] == ["gateway", "gateway", "auth"]
    assert sum(row["critical_ms"] for row in trace["rows"]) == pytest.approx(620)
    assert max(trace["rows"], key=lambda row: row["saving_ms"])["name"] == "GET /permissions"


@pytest.mark.parametrize("path", ["analysis", "findings", "datastores", "deployments"])
def test_a_misspelt_parameter_is_refused_instead_of_answered_for_something_else(client, path):
    answer = client.get(f"/api/v1/{path}", params={"evironment": "staging", "since": "7d"})

    assert answer.status_code == 400
    assert "no parameter is called evironment; known are environment, since, until" in answer.json()["detail"]


@pytest.mark.parametrize(("trace_id", "status"), [("xyz", 400), ("0" * 32, 404), ("a" * 31, 400)])
def test_an_unknown_trace_is_told_apart_from_a_wrong_id(client, trace_id, status):
    answer = client.get(f"/api/v1/traces/{trace_id}")

    assert answer.status_code == status
    assert answer.json()["detail"]


def test_one_deployment_or_a_list_is_taken_and_repeating_it_adds_nothing(client, site):
    first = client.post("/api/v1/deployments", json=DEPLOYMENT)
    again = client.post("/api/v1/deployments", json=[DEPLOYMENT, {**DEPLOYMENT, "environment": "production"}])

    assert (first.status_code, first.json()) == (201, {"received": 1, "added": 1})
    assert (again.status_code, again.json()) == (201, {"received": 2, "added": 1})
    row = site.told.row(0, named=True)
    assert row["at_ns"] == row["earliest_ns"] == 1_771_581_600_000_000_000
    assert row["source"] == "api"


def test_a_deployment_told_without_a_time_happened_now(client, site):
    before = datetime.now(UTC)

    client.post("/api/v1/deployments", json={"service": "auth", "version": "3"})

    told = datetime.fromtimestamp(site.told["at_ns"][0] / 1e9, UTC)
    assert abs(told - before) < timedelta(seconds=30)


def test_unix_seconds_and_other_zones_mean_the_same_moment(client, site):
    times = [1_771_581_600, "2026-02-20T11:00:00+01:00", "2026-02-20T10:00:00"]

    client.post("/api/v1/deployments", json=[{**DEPLOYMENT, "timestamp": time} for time in times])

    assert site.told.height == 1


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"service": "auth"}, "body.version"),
        ({**DEPLOYMENT, "service": ""}, "body.service"),
        ({**DEPLOYMENT, "service": "a\x1b[2J"}, "body.service"),
        ({**DEPLOYMENT, "timestamp": "soon"}, "body.timestamp"),
        ({**DEPLOYMENT, "timestamp": "2199-01-01T00:00:00Z"}, "body.timestamp"),
        ({**DEPLOYMENT, "verison": "typo"}, "body.verison"),
        ([DEPLOYMENT, {**DEPLOYMENT, "version": 7}], "body.1.version"),
        ([], "body"),
        ("auth", "body"),
    ],
)
def test_a_wrong_deployment_is_refused_whole_and_the_place_is_named(client, site, body, at):
    answer = client.post("/api/v1/deployments", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["at"] == at
    assert site.told.is_empty()


def test_deployments_told_and_seen_are_listed_together(client, site):
    client.post("/api/v1/deployments", json=DEPLOYMENT)
    seen = {"service": "user", "version": "9", "at": "2026-02-21T10:00:00Z", "earliest": "2026-02-21T09:58:00Z"}
    site.answer["codeployment"]["deployments"] = [{**seen, "source": "traces"}, {**seen, "source": "csv"}]

    rows = client.get("/api/v1/deployments").json()

    assert [(row["service"], row["source"]) for row in rows] == [("auth", "api"), ("user", "traces")]


def test_the_openapi_description_names_models_and_every_endpoint(client):
    description = client.get("/api/openapi.json").json()

    paths = description["paths"]
    assert {"/api/v1/analysis", "/api/v1/deployments", "/api/v1/traces/{trace_id}", "/healthz"} <= set(paths)
    models = {"AnalysisDocument", "DeploymentBody", "Problem", "DatastoresDocument", "FailuresDocument"}
    assert models <= set(description["components"]["schemas"])
    assert {f"/api/v1/{kind.part}" for kind in sections()} <= set(paths)
    assert not [path for path in paths if path in {"/", "/chains"}]
    for path in ("/docs", "/redoc"):
        assert client.get(path).status_code == 404


def test_probes_tell_alive_from_ready(client, site):
    site.ready = False

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
