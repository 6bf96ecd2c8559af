"""JSON files of every shape people hand over: documents, lines, fragments, and broken ones."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ingest.readers.reading import otlp_request, otlp_span, read, write
from tracelith.ingest.readers import batch, json_file, read_file
from tracelith.model.errors import UnreadableFile

ONE, TWO, THREE = (otlp_request(otlp_span(number)) for number in (1, 2, 3))


def lines(*documents: Any, line_break: str = "\n") -> str:
    return line_break.join(each if isinstance(each, str) else json.dumps(each) for each in documents)


@pytest.mark.parametrize(
    "content",
    [
        lines(ONE, TWO, THREE),
        lines(ONE, TWO, THREE) + "\n",
        lines(ONE, TWO, THREE, line_break="\r\n") + "\r\n",
        "\ufeff" + lines(ONE, TWO, THREE),
        "\n\n" + lines(ONE, "", "  ", TWO, "", THREE) + "\n\n",
        lines([ONE, TWO], THREE),
        lines([ONE, [TWO, THREE]]),
        json.dumps([ONE, TWO, THREE], indent=2),
        lines(*(each["resourceSpans"][0] for each in (ONE, TWO, THREE))),
        json.dumps({"resourceSpans": [each["resourceSpans"][0] for each in (ONE, TWO, THREE)]}, indent="\t"),
    ],
    ids=["lines", "last break", "crlf", "bom", "blanks", "array in line", "nested", "array", "bare", "document"],
)
@pytest.mark.parametrize("name", ["traces.json", "anything.bin", "traces.gz"])
def test_the_same_spans_come_out_however_the_json_is_laid_out(tmp_path: Path, content: str, name: str) -> None:
    path = write(tmp_path / name, content)

    found = read(path)

    assert sorted(found.spans["span_id"]) == [1, 2, 3]
    assert found.services == {"shop"}
    assert found.problems == []


def test_a_trace_may_be_spread_over_lines(tmp_path: Path) -> None:
    root = otlp_request(otlp_span(1), service="front")
    child = otlp_request(otlp_span(2, parentSpanId=f"{1:016x}"), service="back")

    found = read(write(tmp_path / "t", lines(child, root)))

    assert (found.orphans, found.roots) == (0, 1)
    assert found.services == {"front", "back"}


def test_lines_of_different_formats_are_each_read_as_what_they_are(tmp_path: Path) -> None:
    zipkin = [{"traceId": "a", "id": "b", "timestamp": 1, "localEndpoint": {"serviceName": "zip"}}]
    jaeger = {
        "traceID": "c",
        "spans": [{"spanID": "d", "startTime": 1, "processID": "p"}],
        "processes": {"p": {"serviceName": "jay"}},
    }

    found = read(write(tmp_path / "t", lines(ONE, zipkin, jaeger, zipkin[0])))

    assert found.services == {"shop", "zip", "jay"}
    assert {each.format for each in found.batches} == {"OTLP JSON", "Zipkin JSON", "Jaeger JSON"}
    assert found.spans.height == 4


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('{"resourceSpans": [', "not valid JSON"),
        ("garbage", "not valid JSON"),
        ('"text"', "neither an object nor a list"),
        ("17", "neither an object nor a list"),
        ('{"resourceLogs": []}', "OTLP logs"),
        ('{"resourceMetrics": []}', "OTLP metrics"),
        ('{"resourceSpans": {}}', "not an OTLP/JSON trace request"),
        ('{"other": 1}', "without the keys of any known format"),
        (json.dumps(otlp_span(9)), "a single OTLP span without its resource"),
        (lines(otlp_request(otlp_span(9, kind="SPAN_KIND_SERVER"))), "kind is the enum name SPAN_KIND_SERVER"),
        ('{"trace": {"nothing": 1}}', "without batches or resourceSpans"),
        ("[" * 100_000, "nested too deeply"),
        ('{"data": 7}', "not a Jaeger answer"),
        ('{"data": null, "errors": [{"code": 404}]}', "errors and no trace"),
    ],
)
def test_a_broken_line_is_named_and_the_lines_around_it_are_kept(tmp_path: Path, broken: str, said: str) -> None:
    path = write(tmp_path / "traces.jsonl", lines(ONE, "", broken, TWO))

    found = read(path)

    assert sorted(found.spans["span_id"]) == [1, 2]
    (problem,) = found.problems
    assert problem.startswith(f"{path}, line 3")
    assert said in problem


def test_a_log_whose_beginning_was_rotated_away_keeps_its_whole_lines(tmp_path: Path) -> None:
    torn = json.dumps(THREE)[40:]

    found = read(write(tmp_path / "traces.jsonl", lines(torn, ONE, TWO)))

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert "line 1" in found.problems[0]


def test_a_log_cut_off_while_being_written_keeps_its_whole_lines(tmp_path: Path) -> None:
    content = lines(ONE, TWO, THREE)

    found = read(write(tmp_path / "traces.jsonl", content[:-10]))

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert "line 3" in found.problems[0]


def test_a_first_line_cut_at_its_end_does_not_hide_the_others(tmp_path: Path) -> None:
    found = read(write(tmp_path / "traces.jsonl", lines(json.dumps(THREE)[:-5], ONE, TWO)))

    assert sorted(found.spans["span_id"]) == [1, 2]
    assert "line 1" in found.problems[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n\r\n\t ", "the file is empty"),
        (b"# Notes\n\nNothing here.", "neither JSON nor JSON lines"),
        (b"timestamp,service,version\n2026-01-01,shop,1\n", "tracelith deployments import"),
        (b'{"a": 1}', "without the keys of any known format"),
        (b'{"resourceSpans": [', "not valid JSON"),
        (b'{"traces": [{"traceID": "1", "spanSets": []}]}', "answer of a trace search"),
        ('{"resourceSpans": []}'.encode("utf-16"), "UTF-16"),
        (b"PAR1\x15\x04\x15", "Parquet"),
        (b"PK\x03\x04\x00\x00", "zip"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (bytes(range(256)), "binary data (00 01 02 03 04 05 06 07)"),
        (b"\x1f\x8b", "gzip stream is cut off"),
        (b"\x1f\x8bgarbage and more garbage", "gzip stream is damaged"),
    ],
)
def test_a_file_nothing_understands_says_what_it_looks_like_and_what_was_expected(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "traces.json"
    path.write_bytes(content)

    with pytest.raises(UnreadableFile) as caught:
        list(read_file(path))

    assert caught.value.source == str(path)
    assert said in str(caught.value)
    assert "expected OTLP (JSON, JSON lines or protobuf)" in str(caught.value)


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        list(read_file(tmp_path / "absent.json"))


@pytest.mark.parametrize("content", ["[]", "{}", "[[]]", '{"data": []}', '{"batches": []}'])
def test_a_file_of_no_traces_gives_no_spans_and_no_error(tmp_path: Path, content: str) -> None:
    found = read(write(tmp_path / "t", content))

    assert found.spans.is_empty()
    assert found.problems == []


def test_a_truncated_gzip_file_keeps_what_came_before_the_cut(tmp_path: Path) -> None:
    requests = [otlp_request(otlp_span(n, name=os.urandom(40).hex())) for n in range(1, 4001)]
    path = write(tmp_path / "traces.gz", lines(*requests))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    found = read(path)

    assert 1000 < found.spans.height < 3000
    assert sorted(found.spans["span_id"]) == list(range(1, found.spans.height + 1))
    assert any("the gzip stream is cut off" in problem for problem in found.problems)


def test_gzip_members_one_after_the_other_are_one_file(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{number}.gz", lines(each) + "\n") for number, each in enumerate((ONE, TWO))]
    path = tmp_path / "both"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))

    assert sorted(read(path).spans["span_id"]) == [1, 2]


def test_many_lines_come_in_batches_and_progress_grows_to_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_file, "BATCH_BYTES", 4000)
    path = write(tmp_path / "t", lines(*(otlp_request(otlp_span(n)) for n in range(1, 101))))

    found = read(path)

    assert len(found.batches) > 5
    assert sorted(found.spans["span_id"]) == list(range(1, 101))
    done = [each.bytes_done for each in found.batches]
    assert done == sorted(done)
    assert done[-1] == found.batches[-1].bytes_total == path.stat().st_size


@pytest.mark.parametrize(
    "document",
    [
        {"resourceSpans": [otlp_request(otlp_span(n))["resourceSpans"][0] for n in range(1, 101)]},
        {"data": [{"traceID": "1", "spans": [{"spanID": f"{n:x}", "startTime": 1}]} for n in range(1, 101)]},
        [{"traceId": "1", "id": f"{n:x}", "timestamp": 1} for n in range(1, 101)],
        [[{"traceId": "1", "id": f"{n:x}", "timestamp": 1}] for n in range(1, 101)],
    ],
    ids=["otlp", "jaeger", "zipkin", "zipkin traces"],
)
def test_a_large_document_is_decoded_in_parts_with_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: Any
) -> None:
    monkeypatch.setattr(json_file, "BATCH_BYTES", 1000)

    found = read(write(tmp_path / "t", document))

    assert len(found.batches) > 3
    assert sorted(found.spans["span_id"]) == list(range(1, 101))


def test_a_batch_is_bounded_by_a_few_megabytes() -> None:
    assert json_file.BATCH_BYTES == batch.BATCH_BYTES <= 16 << 20


def test_of_duplicate_keys_the_last_one_counts(tmp_path: Path) -> None:
    content = json.dumps(ONE)[:-1] + ', "resourceSpans": ' + json.dumps(TWO["resourceSpans"]) + "}"

    assert read(write(tmp_path / "t", content)).spans["span_id"].to_list() == [2]


def test_the_specifications_example_is_read(shared_data: Path) -> None:
    found = read(shared_data / "otlp" / "proto_example.json")

    assert found.services == {"my.service"}
    assert found.kinds == {"SERVER": 1}
    assert found.span(name="I'm a server span")["trace_hi"] == 0x5B8EFFF798038103


def test_a_real_system_without_kinds_is_read(shared_data: Path) -> None:
    found = read(shared_data / "otlp" / "online_boutique_no_kinds.jsonl.gz")

    assert found.spans.height == 34_205
    assert len(found.services) == 10
    assert found.kinds == {"UNSPECIFIED": 34_205}
    assert (found.roots, found.orphans, found.problems) == (738, 0, [])


def test_an_answer_of_tempos_search_is_refused_with_the_way_to_the_traces(shared_data: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"trace search.*fetch the whole traces"):
        list(read_file(shared_data / "otlp" / "tempo_response.json"))
