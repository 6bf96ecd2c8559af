"""Importing files and folders: order, progress, problems, and what counts as having read something."""

import os
from pathlib import Path

import pytest

from ingest.readers.reading import otlp_request, otlp_span, write
from tracelith.ingest import importing
from tracelith.ingest.importing import ImportSummary, import_paths
from tracelith.model.schema import RawSpans


def collect(*paths: Path) -> tuple[ImportSummary, list[int]]:
    batches: list[RawSpans] = []
    summary = import_paths(paths, batches.append)
    return summary, [span_id for raw in batches for span_id in raw.spans["span_id"]]


def test_files_and_folders_are_read_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for number, name in enumerate(["c.json", "a.json", "b/z.json", "b/y.gz"], start=1):
        write(tmp_path / name, otlp_request(otlp_span(number)))

    summary, span_ids = collect(tmp_path)

    assert span_ids == [2, 1, 4, 3]
    assert (summary.files, summary.spans, summary.rejected, summary.problem_count) == (4, 4, 0, 0)
    assert summary.formats == {"OTLP JSON": 4}
    assert not summary.nothing_read


def test_what_nobody_understands_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    write(tmp_path / "1.md", "# Notes")
    write(tmp_path / "2.json", otlp_request(otlp_span(1), otlp_span(2, kind="SPAN_KIND_SERVER")))
    write(tmp_path / "3.json", b"")

    summary, span_ids = collect(tmp_path, tmp_path / "absent.json")

    assert span_ids == [1]
    assert (summary.files, summary.spans, summary.rejected) == (1, 1, 1)
    assert [Path(problem.source).name for problem in summary.problems] == ["1.md", "2.json", "3.json", "absent.json"]


@pytest.mark.parametrize("content", ["", "nonsense", "[]", "{}", '{"resourceSpans": []}'])
def test_an_import_that_read_nothing_says_so_and_why(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "t.json", content)

    summary, _ = collect(path)

    assert summary.nothing_read
    assert summary.files == 0
    assert [problem.source for problem in summary.problems] == [str(path)]


def test_an_empty_folder_reads_nothing(tmp_path: Path) -> None:
    summary, _ = collect(tmp_path)

    assert summary.nothing_read


def test_refused_spans_alone_are_nothing_read(tmp_path: Path) -> None:
    summary, _ = collect(write(tmp_path / "t.json", otlp_request(otlp_span(1, kind="SPAN_KIND_SERVER"))))

    assert summary.nothing_read
    assert summary.rejected == 1
    assert "enum name" in str(summary.problems[0])


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", otlp_request(otlp_span(1)))
    (tmp_path / "link.json").symlink_to(path)

    summary, span_ids = collect(path, tmp_path, path)

    assert span_ids == [1]
    assert summary.files == 1


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    write(tmp_path / ".git" / "t.json", otlp_request(otlp_span(1)))
    write(tmp_path / ".t.json", otlp_request(otlp_span(2)))
    write(tmp_path / "t.json", otlp_request(otlp_span(3)))

    assert collect(tmp_path)[1] == [3]


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "t.json", otlp_request(otlp_span(3)))

    assert collect(tmp_path)[1] == [3]
    assert "neither a file nor a folder" in str(collect(tmp_path / "pipe")[0].problems[0])


def test_progress_grows_from_file_to_file_up_to_the_whole(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, otlp_request(otlp_span(1))) for name in ("a", "b", "c")]
    seen: list[tuple[int, int]] = []

    import_paths(paths, lambda _raw: None, on_progress=lambda done, total: seen.append((done, total)))

    total = sum(path.stat().st_size for path in paths)
    assert {each for _, each in seen} == {total}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (total, total)


def test_what_the_sink_raises_ends_the_import(tmp_path: Path) -> None:
    path = write(tmp_path / "t", otlp_request(otlp_span(1)))

    def sink(_raw: RawSpans) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        import_paths([path], sink)


def test_problems_are_kept_up_to_a_limit_and_counted_beyond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PROBLEMS_KEPT", 3)
    paths = [tmp_path / f"absent {number}" for number in range(5)]

    summary, _ = collect(*paths)

    assert len(summary.problems) == 3
    assert summary.problem_count == 5


def test_all_shared_inputs_are_imported_in_one_go(shared_data: Path) -> None:
    summary, span_ids = collect(shared_data)

    assert summary.spans == len(span_ids) == 34_205 + 1 + 8_800 + 5 + 134 + 77
    assert summary.formats == {"OTLP JSON": 3, "Jaeger JSON": 35, "Zipkin JSON": 8}
    assert summary.rejected == 1
    unread = {Path(problem.source).name for problem in summary.problems if not problem.record}
    assert unread == {
        "README.md",
        "online_boutique_commits.csv",
        "sock_shop_image_bumps.csv",
        "tempo_response.json",
        "wrong_base64_ids_and_enum_names.jsonl",
    }
