"""Deployments from CSV files: aliases, times, bad lines, commit logs."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tracelith.ingest.deployments import parse_moment, read_deployments_csv
from tracelith.model.errors import UnreadableFile
from tracelith.model.schema import DEPLOYMENT

NOON_NS = 1_767_614_400 * 10**9
"""2026-01-05 12:00 UTC."""


def written(folder: Path, text: str, name: str = "deployments.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_timestamp_service_and_version_become_deployments(tmp_path: Path):
    path = written(tmp_path, "timestamp,service,version\n2026-01-05T12:00:00Z,auth,1.2\n2026-01-05T11:00:00Z,user,7\n")

    read = read_deployments_csv(path)

    assert read.deployments.schema == DEPLOYMENT
    assert read.deployments.rows() == [
        ("user", "", "7", NOON_NS - 3_600 * 10**9, NOON_NS - 3_600 * 10**9, "csv"),
        ("auth", "", "1.2", NOON_NS, NOON_NS, "csv"),
    ]
    assert (read.problems, read.notes) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "Deployed At;Service Name;Image Tag;Env\n2026-01-05T12:00:00Z;auth;1;prod\n",
        "env\tservice.version\tservice.name\ttime\nprod\t1\tauth\t2026-01-05 12:00\n",
        '\ufeff"DATE","APP","deployment.environment.name","VERSION"\r\n"2026-01-05T13:00:00+01:00",auth,prod,1\r\n',
    ],
)
def test_columns_go_by_many_names_and_separators(tmp_path: Path, text: str):
    read = read_deployments_csv(written(tmp_path, text))

    assert read.deployments.rows() == [("auth", "prod", "1", NOON_NS, NOON_NS, "csv")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T12:00:00Z",
        "2026-01-05 12:00:00",
        "2026-01-05T12:00:00.000000000Z",
        "2026-01-05 12:00:00 UTC",
        "20260105T120000Z",
        "2026-01-05T14:30:00+02:30",
        "1767614400",
        "1767614400.0",
        "1767614400000",
        "1767614400000000",
        "1767614400000000000",
    ],
)
def test_times_are_iso_8601_or_counted_since_1970(text: str):
    assert parse_moment(text) == NOON_NS


@pytest.mark.parametrize(
    "text", ["", "yesterday", "01/05/2026", "12:00", "12345", "1999-12-31", "99999999999999999999"]
)
def test_other_times_are_refused_with_what_was_expected(text: str):
    with pytest.raises(ValueError, match="expected a time such as 2026-11-21T10:15:00Z"):
        parse_moment(text)


def test_a_bad_line_is_reported_and_the_rest_is_kept(tmp_path: Path):
    path = written(
        tmp_path,
        "timestamp,service,version\n2026-01-05T12:00:00Z,auth,1\nsoon,auth,2\n\n2026-01-06T12:00:00Z,,3\n"
        "2026-01-07T12:00:00Z\n2026-01-08T12:00:00Z,auth,4\n",
    )

    read = read_deployments_csv(path)

    assert read.deployments["version"].to_list() == ["1", "4"]
    assert [problem.record for problem in read.problems] == ["line 3", "line 5", "line 6"]
    assert "got 'soon'" in str(read.problems[0])
    assert "expected the name of a service" in str(read.problems[1])
    assert all(problem.source == str(path) for problem in read.problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column is a timestamp or a service"),
        ("when,what\n1,2\n", "got 'when, what'"),
        ("2026-01-05T12:00:00Z,auth,1\n", "expected a header line with the columns timestamp, service, version"),
    ],
)
def test_a_file_without_the_columns_is_refused_and_says_which(tmp_path: Path, text: str, message: str):
    with pytest.raises(UnreadableFile, match=message):
        read_deployments_csv(written(tmp_path, text))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    path = tmp_path / "deployments.csv"
    path.write_bytes(b"\xff\xfe\x00binary")

    with pytest.raises(UnreadableFile, match="expected a CSV file in UTF-8, byte 0"):
        read_deployments_csv(path)


def test_a_missing_file_and_a_cut_gzip_are_refused(tmp_path: Path):
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"timestamp,service\n2026-01-05T12:00:00Z,auth\n" * 100)[:40])

    for path in (tmp_path / "absent.csv", cut):
        with pytest.raises(UnreadableFile, match="expected a readable CSV file"):
            read_deployments_csv(path)


def test_a_gzipped_file_reads_like_any_other(tmp_path: Path):
    path = tmp_path / "deployments.csv.gz"
    path.write_bytes(gzip.compress(b"timestamp,service,version\n2026-01-05T12:00:00Z,auth,1\n"))

    assert read_deployments_csv(path).deployments["at_ns"].to_list() == [NOON_NS]


def test_what_failed_was_not_deployed(tmp_path: Path):
    path = written(
        tmp_path,
        "timestamp,service,version,status\n2026-01-05T12:00:00Z,auth,1,succeeded\n2026-01-05T13:00:00Z,auth,2,Failed\n",
    )

    read = read_deployments_csv(path)

    assert read.deployments["version"].to_list() == ["1"]
    assert read.notes == ("1 deployments that did not succeed were left out",)


def test_a_line_told_twice_is_one_deployment(tmp_path: Path):
    path = written(tmp_path, "timestamp,service,version\n" + "2026-01-05T12:00:00Z,auth,1\n" * 3)

    assert read_deployments_csv(path).deployments.height == 1


def test_a_commit_log_is_recognised_and_marked(shared_data: Path):
    read = read_deployments_csv(shared_data / "deployments" / "online_boutique_commits.csv")

    assert read.problems == ()
    assert set(read.deployments["source"]) == {"commits"}
    assert "commits are not deployments" in read.notes[0]


def test_image_bumps_of_the_sock_shop_are_deployments(shared_data: Path):
    read = read_deployments_csv(shared_data / "deployments" / "sock_shop_image_bumps.csv")

    assert (read.problems, read.notes) == ((), ())
    assert set(read.deployments["source"]) == {"csv"}
    assert read.deployments["service"].n_unique() == 13
    first = datetime.fromtimestamp(read.deployments["at_ns"][0] / 10**9, UTC)
    assert first == datetime(2016, 8, 23, 11, 47, 12, tzinfo=UTC)
    assert read.deployments.filter(pl.col("service") == "payment")["version"][-1] != ""
