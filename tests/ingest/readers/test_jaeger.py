"""Jaeger JSON: references, processes, tags, ids, and what happens to broken spans."""

from pathlib import Path
from typing import Any

import pytest

from ingest.readers.reading import Read, read, write
from tracelith.model.schema import Kind, Status


def reference(kind: str, span_id: str, trace_id: str = "a1") -> dict[str, str]:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def tag(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "type": "string", "value": value}


def span(
    span_id: str = "1", *references: dict[str, str], tags: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    return {
        "traceID": "a1",
        "spanID": span_id,
        "operationName": f"op {span_id}",
        "references": list(references),
        "startTime": 1_700_000_000_000_000,
        "duration": 250,
        "tags": [tag(key, value) for key, value in (tags or {}).items()],
        "processID": "p1",
        **fields,
    }


def trace(*spans: Any, **fields: Any) -> dict[str, Any]:
    processes = {"p1": {"serviceName": "shop", "tags": []}, "p2": {"serviceName": "stock", "tags": []}}
    return {"traceID": "a1", "spans": list(spans), "processes": processes, **fields}


def read_trace(tmp_path: Path, *spans: Any, **fields: Any) -> Read:
    return read(write(tmp_path / "t", {"data": [trace(*spans, **fields)]}))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: {"data": [one], "total": 0, "limit": 0, "offset": 0, "errors": None},
        lambda one: one,
        lambda one: [one],
    ],
    ids=["answer", "bare trace", "list"],
)
def test_answers_bare_traces_and_lists_are_read(tmp_path: Path, wrap: Any) -> None:
    found = read(write(tmp_path / "t", wrap(trace(span("1"), span("2", reference("CHILD_OF", "1"), processID="p2")))))

    child = found.span(span_id=2)
    assert (child["trace_lo"], child["parent_id"], child["service"], child["name"]) == (0xA1, 1, "stock", "op 2")
    assert (child["start_ns"], child["end_ns"]) == (1_700_000_000_000_000_000, 1_700_000_000_000_250_000)
    assert found.problems == []


def test_documents_of_elasticsearch_carry_their_process(tmp_path: Path) -> None:
    documents = [span(n, process={"serviceName": f"s{n}", "tags": [tag("ip", "10.0.0.1")]}) for n in "12"]

    found = read(write(tmp_path / "t", documents))

    assert found.services == {"s1", "s2"}
    assert found.problems == []


@pytest.mark.parametrize(
    ("references", "parent", "links", "kind"),
    [
        ([reference("CHILD_OF", "7")], 7, [], Kind.UNSPECIFIED),
        ([reference("FOLLOWS_FROM", "8"), reference("CHILD_OF", "7")], 7, [8], Kind.UNSPECIFIED),
        ([reference("CHILD_OF", "7"), reference("CHILD_OF", "8")], 7, [8], Kind.UNSPECIFIED),
        ([reference("FOLLOWS_FROM", "8")], 8, [8], Kind.CONSUMER),
        ([reference("CHILD_OF", "8", trace_id="b2")], 0, [8], Kind.UNSPECIFIED),
        ([reference("FOLLOWS_FROM", "8", trace_id="b2")], 0, [8], Kind.UNSPECIFIED),
        ([reference("CHILD_OF", "0")], 0, [], Kind.UNSPECIFIED),
        ([], 0, [], Kind.UNSPECIFIED),
    ],
)
def test_references_become_a_parent_and_links(
    tmp_path: Path, references: list[dict[str, str]], parent: int, links: list[int], kind: Kind
) -> None:
    found = read_trace(tmp_path, span("1", *references))

    one = found.span(span_id=1)
    assert (one["parent_id"], one["kind"]) == (parent, kind)
    assert found.batches[0].raw.links["span_id"].to_list() == links


def test_a_stated_kind_survives_a_follows_from(tmp_path: Path) -> None:
    found = read_trace(tmp_path, span("1", reference("FOLLOWS_FROM", "8"), tags={"span.kind": "server"}))

    assert found.span(span_id=1)["kind"] == Kind.SERVER


def test_the_old_parent_field_is_a_parent(tmp_path: Path) -> None:
    assert read_trace(tmp_path, span("1", parentSpanID="7")).span(span_id=1)["parent_id"] == 7


@pytest.mark.parametrize("word", ["client", "server", "producer", "consumer", "internal", "CLIENT"])
def test_kinds_come_from_the_span_kind_tag(tmp_path: Path, word: str) -> None:
    found = read_trace(tmp_path, span(tags={"span.kind": word}))

    assert found.kinds == {word.upper(): 1}


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({}, Status.UNSET),
        ({"error": True}, Status.ERROR),
        ({"error": "true"}, Status.ERROR),
        ({"error": False}, Status.UNSET),
        ({"error": "false"}, Status.UNSET),
        ({"otel.status_code": "ERROR"}, Status.ERROR),
        ({"otel.status_code": "OK"}, Status.OK),
        ({"http.status_code": 500}, Status.UNSET),
    ],
)
def test_status_comes_from_the_error_and_opentelemetry_tags(
    tmp_path: Path, tags: dict[str, Any], status: Status
) -> None:
    assert read_trace(tmp_path, span(tags=tags)).span(span_id=1)["status"] == status


def test_known_tags_are_kept_as_text(tmp_path: Path) -> None:
    tags = {
        "http.status_code": 503,
        "http.method": "GET",
        "peer.service": "stock",
        "peer.port": 8080,
        "peer.ipv4": "10.0.0.7",
        "net.peer.ip": "10.0.0.8",
        "sampler.param": 0.5,
        "otel.scope.name": "io.shop",
        "component": ["not", "scalar"],
    }

    found = read_trace(tmp_path, span(tags=tags))

    assert found.attributes("op 1") == {
        "http.status_code": "503",
        "http.method": "GET",
        "peer.service": "stock",
        "peer.port": "8080",
        "peer.ipv4": "10.0.0.7",
        "net.peer.ip": "10.0.0.8",
    }
    assert found.span(span_id=1)["scope"] == "io.shop"


def test_process_tags_describe_the_resource(tmp_path: Path) -> None:
    tags = {"hostname": "node-1", "ip": "10.0.0.1", "jaeger.version": "Node-3.19.0", "service.version": "1.2", "pid": 7}
    processes = {"p1": {"serviceName": "shop", "tags": [tag(key, value) for key, value in tags.items()]}}

    found = read_trace(tmp_path, span(), processes=processes)

    rows = found.batches[0].raw.resource_attributes.select("key", "value").rows()
    assert dict(rows) == {
        "service.name": "shop",
        "hostname": "node-1",
        "ip": "10.0.0.1",
        "telemetry.sdk.language": "nodejs",
        "service.version": "1.2",
    }


def test_a_process_shared_by_many_traces_is_one_resource(tmp_path: Path) -> None:
    found = read(write(tmp_path / "t", {"data": [trace(span()), trace(span("2")), trace(span("3"))]}))

    assert found.batches[0].raw.resource_count == 2


@pytest.mark.parametrize(
    ("trace_id", "words"),
    [
        ("A", (0, 0xA)),
        ("00202d6c6c17bfe5", (0, 0x00202D6C6C17BFE5)),
        ("5B8EFFF798038103D269B633813FC60C", (0x5B8EFFF798038103, 0xD269B633813FC60C)),
        ("1" + "0" * 16, (1, 0)),
    ],
)
def test_ids_of_64_and_128_bits_may_lack_leading_zeros(tmp_path: Path, trace_id: str, words: tuple[int, int]) -> None:
    found = read_trace(tmp_path, span(traceID=trace_id))

    one = found.span(span_id=1)
    assert (one["trace_hi"], one["trace_lo"]) == words


def test_ids_that_are_not_hexadecimal_keep_the_tree_and_are_reported(tmp_path: Path) -> None:
    found = read_trace(tmp_path, span("G"), span("H", reference("CHILD_OF", "G")))

    assert (found.spans.height, found.roots, found.orphans) == (2, 1, 0)
    assert "trace 1, span 1: its ids are not hexadecimal" in found.problems[0]


def test_a_missing_process_is_reported_and_its_span_kept(tmp_path: Path) -> None:
    found = read_trace(tmp_path, span(processID="p9"), span("2"))

    assert found.span(span_id=1)["service"] is None
    assert found.span(span_id=2)["service"] == "shop"
    (problem,) = found.problems
    assert "trace 1, span 1: names a process that its trace does not list" in problem


@pytest.mark.parametrize("missing", ["references", "duration", "tags", "operationName", "processID", "traceID"])
@pytest.mark.parametrize("how", ["null", "absent"])
def test_a_span_may_lack_almost_everything(tmp_path: Path, missing: str, how: str) -> None:
    one = span() | {missing: None}
    if how == "absent":
        del one[missing]

    found = read_trace(tmp_path, one)

    assert found.spans.height == 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        [],
        span(startTime=None),
        span(startTime="yesterday"),
        span(startTime=10**30),
        span(startTime=-1),
        span(spanID=None),
        span(spanID=7),
        span(spanID="0000"),
        span(spanID=""),
        span() | {"tags": {"a": 1}},
        span() | {"references": "none"},
    ],
    ids=str,
)
def test_a_broken_span_is_named_and_the_others_are_kept(tmp_path: Path, bad: Any) -> None:
    path = write(tmp_path / "t", {"data": [trace(span("1")), trace(span("2"), bad, span("3"))]})

    found = read(path)

    assert sorted(found.spans["span_id"]) == [1, 2, 3]
    assert found.rejected == 1
    (problem,) = found.problems
    assert problem.startswith(f"{path}, trace 2, span 2: ")


@pytest.mark.parametrize("bad", [None, 7, "trace", {"spans": 7}, {"spans": [], "processes": []}])
def test_a_broken_trace_is_named_and_the_others_are_kept(tmp_path: Path, bad: Any) -> None:
    found = read(write(tmp_path / "t", {"data": [trace(span("1")), bad, trace(span("2"))]}))

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert "trace 2: not a Jaeger trace" in found.problems[0]


def test_a_flood_of_broken_spans_is_counted_and_not_listed_one_by_one(tmp_path: Path) -> None:
    found = read_trace(tmp_path, *[span(spanID="")] * 500)

    assert found.rejected == 500
    assert len(found.problems) == 21
    assert "480 further records" in found.problems[-1]


@pytest.mark.parametrize("load", ["hotel_load25", "hotel_load150"])
def test_the_hotel_traces_are_whole(shared_data: Path, load: str) -> None:
    found = read(shared_data / "jaeger" / f"{load}.json.gz")

    assert found.spans.height == 4400
    assert found.services == {"frontend", "search", "geo", "rate", "profile", "reservation"}
    assert found.kinds == {"SERVER": 2400, "CLIENT": 2000}
    assert (found.roots, found.orphans, found.problems) == (400, 0, [])


def test_every_case_of_crisp_is_read_with_all_its_spans(shared_data: Path) -> None:
    cases = sorted((shared_data / "jaeger" / "crisp_cases").rglob("*.json"))

    found = {case: read(case) for case in cases}

    assert len(cases) == 33
    for case, each in found.items():
        assert each.rejected == 0, case
        assert each.spans.height == case.read_text().count('"operationName"'), case
        assert (each.roots, each.orphans) == (1, 0), case


def test_a_jaeger_fixture_that_holds_otlp_is_read_as_otlp(shared_data: Path) -> None:
    found = read(shared_data / "jaeger" / "example_trace.json")

    assert found.batches[0].format == "OTLP JSON"
    assert found.services == {"example-service-1", "example-service-2", "example-service-3"}
    assert found.kinds == {"UNSPECIFIED": 3, "SERVER": 1, "CLIENT": 1}
