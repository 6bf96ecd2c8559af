"""Zipkin JSON v2 and v1: shared ids, endpoints, tags, annotations, and what happens to broken spans."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.readers.reading import Read, read, write
from tracelith.model.schema import Kind, Status

START = 1_700_000_000_000_000


def endpoint(service: str, **fields: Any) -> dict[str, Any]:
    return {"serviceName": service, **fields}


def span(number: str = "1", **fields: Any) -> dict[str, Any]:
    base = {"traceId": "a1", "id": number, "name": f"op {number}", "timestamp": START, "duration": 250}
    return base | {"localEndpoint": endpoint("shop")} | fields


def read_spans(tmp_path: Path, *spans: Any) -> Read:
    return read(write(tmp_path / "t", list(spans)))


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: [s], lambda s: [s[:1], s[1:]]], ids=["list", "lists", "traces"]
)
def test_lists_and_lists_of_lists_are_read(tmp_path: Path, wrap: Any) -> None:
    found = read(write(tmp_path / "t", wrap([span("1"), span("2", parentId="1", localEndpoint=endpoint("stock"))])))

    child = found.span(span_id=2)
    assert (child["trace_lo"], child["parent_id"], child["service"], child["name"]) == (0xA1, 1, "stock", "op 2")
    assert (child["start_ns"], child["end_ns"]) == (START * 1000, (START + 250) * 1000)
    assert found.problems == []


def test_client_and_server_may_share_one_id(tmp_path: Path) -> None:
    found = read_spans(
        tmp_path,
        span("7", kind="CLIENT", parentId="1"),
        span("7", kind="SERVER", parentId="1", shared=True, localEndpoint=endpoint("stock")),
    )

    assert found.spans.select("span_id", "parent_id", "kind", "service").rows() == [
        (7, 1, Kind.CLIENT, "shop"),
        (7, 1, Kind.SERVER, "stock"),
    ]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"kind": "CLIENT"}, Kind.CLIENT),
        ({"kind": "server"}, Kind.SERVER),
        ({"kind": "PRODUCER"}, Kind.PRODUCER),
        ({"kind": "CONSUMER"}, Kind.CONSUMER),
        ({}, Kind.UNSPECIFIED),
        ({"kind": None}, Kind.UNSPECIFIED),
        ({"kind": "SOMETHING"}, Kind.UNSPECIFIED),
        ({"tags": {"lc": "spring"}}, Kind.INTERNAL),
    ],
)
def test_kinds_are_zipkins_own(tmp_path: Path, fields: dict[str, Any], kind: Kind) -> None:
    assert read_spans(tmp_path, span(**fields)).span(span_id=1)["kind"] == kind


def test_the_remote_endpoint_of_a_client_is_its_peer(tmp_path: Path) -> None:
    found = read_spans(tmp_path, span(kind="CLIENT", remoteEndpoint=endpoint("app_db", ipv4="10.0.0.9", port=5432)))

    assert found.attributes("op 1") == {"peer.service": "app_db", "server.address": "10.0.0.9", "server.port": "5432"}


def test_the_remote_endpoint_of_a_server_is_a_caller_and_identifies_nothing(tmp_path: Path) -> None:
    found = read_spans(tmp_path, span(kind="SERVER", remoteEndpoint=endpoint("shop", ipv6="::1", port=53367)))

    assert found.attributes("op 1") == {}


def test_the_local_endpoint_is_the_resource(tmp_path: Path) -> None:
    spans = [
        span("1", localEndpoint=endpoint("shop", ipv4="10.0.0.1")),
        span("2", localEndpoint=endpoint("", ipv6="::1")),
    ]

    found = read_spans(tmp_path, *spans, span("3", localEndpoint=None), spans[0] | {"id": "4"})

    raw = found.batches[0].raw
    assert raw.resource_count == 3
    assert raw.resource_attributes.rows() == [(0, "ip", "10.0.0.1"), (0, "service.name", "shop"), (1, "ip", "::1")]
    assert raw.spans["resource_row"].to_list() == [0, 1, 2, 0]


def test_tags_of_brave_are_translated(tmp_path: Path) -> None:
    tags = {
        "http.path": "/cart",
        "http.method": "GET",
        "http.status_code": 200,
        "kafka.topic": "orders",
        "sql.query": "select name from customer where id = 7",
        "grpc.status_code": "14",
        "unknown": "x",
    }

    found = read_spans(tmp_path, span(tags=tags))

    assert found.attributes("op 1") == {
        "url.path": "/cart",
        "http.method": "GET",
        "http.status_code": "200",
        "messaging.destination.name": "orders",
        "messaging.system": "kafka",
        "db.system.name": "other_sql",
        "grpc.status_code": "14",
    }


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({}, Status.UNSET),
        ({"error": ""}, Status.ERROR),
        ({"error": "connection refused"}, Status.ERROR),
        ({"error": True}, Status.ERROR),
        ({"error": "false"}, Status.UNSET),
        ({"otel.status_code": "OK"}, Status.OK),
    ],
)
def test_an_error_tag_means_failure_whatever_it_says(tmp_path: Path, tags: dict[str, Any], status: Status) -> None:
    assert read_spans(tmp_path, span(tags=tags)).span(span_id=1)["status"] == status


@pytest.mark.parametrize("missing", ["duration", "name", "localEndpoint", "tags", "parentId", "kind"])
def test_a_span_may_lack_almost_everything(tmp_path: Path, missing: str) -> None:
    one = {key: value for key, value in span().items() if key != missing}

    assert read_spans(tmp_path, one, span("2", **{missing: None})).spans.height == 2


def test_numbers_may_be_text(tmp_path: Path) -> None:
    found = read_spans(tmp_path, span(timestamp=str(START), duration="250"))

    assert found.span(span_id=1)["end_ns"] == (START + 250) * 1000


def test_a_span_without_a_timestamp_takes_that_of_its_first_annotation(tmp_path: Path) -> None:
    annotations = [{"timestamp": START + 5, "value": "b"}, {"timestamp": START + 3, "value": "a"}]

    found = read_spans(tmp_path, span(timestamp=None, duration=None, annotations=annotations))

    assert found.span(span_id=1)["start_ns"] == (START + 3) * 1000


@pytest.mark.parametrize(
    "bad",
    [None, 7, span(traceId=None), span(traceId="xyz"), span(traceId="1" * 33), span(id="0"), span(id=7),
     span(timestamp=None), span(timestamp="soon"), span(timestamp=10**30), span(tags=[]), span(localEndpoint="shop")],
    ids=str,
)  # fmt: skip
def test_a_broken_span_is_named_and_the_others_are_kept(tmp_path: Path, bad: Any) -> None:
    path = write(tmp_path / "t", [span("1"), bad, span("2")])

    found = read(path)

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert found.rejected == 1
    (problem,) = found.problems
    assert problem.startswith(f"{path}, span 2: ")


def test_a_broken_span_in_a_list_of_traces_is_named_by_trace(tmp_path: Path) -> None:
    found = read(write(tmp_path / "t", [[span("1")], [span("2"), {"traceId": "a1"}]]))

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert "trace 2, span 2: not a Zipkin span" in found.problems[0]


# --- v1 -----------------------------------------------------------------------------------------------------------


def annotation(value: str, at: int, service: str) -> dict[str, Any]:
    return {"value": value, "timestamp": START + at, "endpoint": endpoint(service, ipv4="10.0.0.1")}


def binary(key: str, value: Any, service: str = "shop", **fields: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "endpoint": endpoint(service, **fields)}


def v1(number: str = "1", **fields: Any) -> dict[str, Any]:
    return {"traceId": "a1", "id": number, "name": f"op {number}", **fields}


def test_v1_a_record_with_both_sides_becomes_two_spans_of_one_id(tmp_path: Path) -> None:
    record = v1(
        "7",
        parentId="1",
        timestamp=START,
        duration=100,
        annotations=[
            annotation("cs", 0, "shop"),
            annotation("sr", 20, "stock"),
            annotation("ss", 70, "stock"),
            annotation("cr", 100, "shop"),
        ],
    )

    found = read_spans(tmp_path, record)

    rows = found.spans.select("span_id", "parent_id", "kind", "service", "start_ns", "end_ns").rows()
    assert rows == [
        (7, 1, Kind.CLIENT, "shop", START * 1000, (START + 100) * 1000),
        (7, 1, Kind.SERVER, "stock", (START + 20) * 1000, (START + 70) * 1000),
    ]


@pytest.mark.parametrize(("begin", "end", "kind"), [("cs", "cr", Kind.CLIENT), ("sr", "ss", Kind.SERVER)])
def test_v1_one_side_alone_is_one_span_timed_by_its_annotations(
    tmp_path: Path, begin: str, end: str, kind: Kind
) -> None:
    found = read_spans(tmp_path, v1(annotations=[annotation(end, 90, "shop"), annotation(begin, 10, "shop")]))

    one = found.span(span_id=1)
    assert (one["kind"], one["start_ns"], one["end_ns"]) == (kind, (START + 10) * 1000, (START + 90) * 1000)


@pytest.mark.parametrize(("value", "kind"), [("ms", Kind.PRODUCER), ("mr", Kind.CONSUMER)])
def test_v1_messaging_annotations_make_producers_and_consumers(tmp_path: Path, value: str, kind: Kind) -> None:
    broker = binary("ma", True, service="kafka")

    found = read_spans(tmp_path, v1(annotations=[annotation(value, 0, "shop")], binaryAnnotations=[broker]))

    assert found.span(span_id=1)["kind"] == kind
    assert found.attributes("op 1") == {"peer.service": "kafka"}


def test_v1_a_local_component_is_internal(tmp_path: Path) -> None:
    found = read_spans(tmp_path, v1(timestamp=START, duration=5, binaryAnnotations=[binary("lc", "spring")]))

    one = found.span(span_id=1)
    assert (one["kind"], one["service"]) == (Kind.INTERNAL, "shop")


def test_v1_binary_annotations_are_tags_of_the_side_that_wrote_them(tmp_path: Path) -> None:
    record = v1(
        annotations=[annotation("cs", 0, "shop"), annotation("sr", 5, "stock")],
        binaryAnnotations=[
            binary("http.path", "/client", "shop"),
            binary("http.route", "/server", "stock"),
            binary("sa", True, "stock", ipv4="10.0.0.5", port=80),
            binary("ca", True, "shop", port=40000),
            binary("error", "boom", "stock"),
        ],
    )

    found = read_spans(tmp_path, record)

    rows = found.batches[0].raw.span_attributes.rows()
    assert rows == [
        (0, "url.path", "/client"),
        (0, "peer.service", "stock"),
        (0, "server.address", "10.0.0.5"),
        (0, "server.port", "80"),
        (1, "http.route", "/server"),
    ]
    assert found.spans["status"].to_list() == [Status.UNSET, Status.ERROR]


def test_v1_a_record_without_any_time_is_refused(tmp_path: Path) -> None:
    found = read_spans(tmp_path, span("1"), v1("2", binaryAnnotations=[binary("lc", "x")]))

    assert found.spans["span_id"].to_list() == [1]
    assert "span 2: has no timestamp" in found.problems[0]


# --- files of the Zipkin project ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "services", "kinds", "orphans"),
    [
        ("ascend", 3, {"CLIENT": 3, "SERVER": 3, "UNSPECIFIED": 1, "INTERNAL": 1}, 0),
        ("envoy", 0, {"SERVER": 1}, 0),
        ("messaging", 2, {"CONSUMER": 1, "UNSPECIFIED": 1, "PRODUCER": 1, "SERVER": 1}, 0),
        ("messaging-kafka", 2, {"CONSUMER": 7, "UNSPECIFIED": 12, "PRODUCER": 9}, 0),
        (
            "messaging2",
            4,
            {"CLIENT": 4, "UNSPECIFIED": 2, "INTERNAL": 1, "SERVER": 2, "PRODUCER": 1, "CONSUMER": 1},
            6,
        ),
        ("simple-db-p6", 1, {"CLIENT": 4, "SERVER": 1}, 0),
        ("skew", 2, {"UNSPECIFIED": 1, "SERVER": 2, "CLIENT": 1}, 0),
        ("yelp", 6, {"CLIENT": 11, "SERVER": 4, "UNSPECIFIED": 1}, 0),
    ],
)
def test_zipkins_own_sample_traces_are_read(
    shared_data: Path, name: str, services: int, kinds: dict[str, int], orphans: int
) -> None:
    found = read(shared_data / "zipkin" / f"{name}.json")

    assert len(found.services) == services
    assert found.kinds == kinds
    assert (found.roots, found.orphans, found.problems) == (1, orphans, [])


def test_yelps_client_and_server_halves_share_ids_across_services(shared_data: Path) -> None:
    spans = read(shared_data / "zipkin" / "yelp.json").spans

    halves = spans.group_by("span_id").agg("kind", "service").filter(pl.col("kind").list.len() > 1)
    assert halves.height == 3
    for row in halves.iter_rows(named=True):
        assert sorted(row["kind"]) == [Kind.SERVER, Kind.CLIENT]
        assert len(set(row["service"])) == 2
