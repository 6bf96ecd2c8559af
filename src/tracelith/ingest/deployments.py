"""Deployments from a CSV file: columns timestamp, service, version, and optionally environment and status.

Column names are matched without regard to case, spaces and punctuation, with the aliases in COLUMNS. A timestamp is
ISO 8601 (one without a zone is UTC) or seconds, milliseconds, microseconds or nanoseconds since 1970. A bad line is
reported and left out; the rest is kept. A commit log is recognised by its columns: its rows get the source "commits",
and the analysis does not take them for deployments.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from tracelith.model.errors import UnreadableFile
from tracelith.model.schema import DEPLOYMENT

__all__ = ["COLUMNS", "DeploymentFile", "parse_moment", "read_deployments_csv"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "time", "datetime", "date", "at", "deployedat", "finishedat", "startedat", "createdat"),
    "service": ("service", "servicename", "application", "app", "component"),
    "version": ("version", "serviceversion", "tag", "imagetag", "release", "revision", "commit", "sha", "commitsha"),
    "environment": ("environment", "env", "deploymentenvironment", "deploymentenvironmentname"),
    "status": ("status", "state", "result", "outcome", "deploymentstatus"),
}
"""Canonical column to names it goes by, letters and digits only; the first one present wins."""
COMMIT_LOG_COLUMNS = frozenset({"fileschanged", "insertions", "deletions", "linesadded", "isbot", "servicesincommit"})
"""Columns that only a commit log has."""
UNSUCCESSFUL = frozenset({"failed", "failure", "error", "errored", "cancelled", "canceled", "aborted", "skipped"})

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAUSIBLE = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
EPOCH_UNITS_NS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
"""Since 2000 a count this large is in units of so many nanoseconds: the ranges do not overlap before 5138."""
SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """What a deployments file held.

    Attributes:
        deployments: DEPLOYMENT rows with source "csv" (or "commits"), sorted by time and service.
        problems: one for each line that could not be used: which, what was expected, what came.
        notes: sentences about the file as a whole that its reader should know.
    """

    deployments: pl.DataFrame
    problems: tuple[UnreadableFile, ...]
    notes: tuple[str, ...]


def read_deployments_csv(path: Path) -> DeploymentFile:
    """The deployments in a CSV file (comma, semicolon or tab; UTF-8; may be gzipped).

    Raises:
        UnreadableFile: it is not text, or its header names no timestamp or no service.
    """
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    header = next(_lines(reader, str(path)), None)
    places = _places(header or [], str(path))
    rows, problems, unsuccessful = list[tuple[str, str, str, int]](), list[UnreadableFile](), 0
    for cells in _lines(reader, str(path)):
        if not any(cell.strip() for cell in cells):
            continue
        named = {name: cells[place].strip() if place < len(cells) else "" for name, place in places.items()}
        if named.get("status", "").lower() in UNSUCCESSFUL:
            unsuccessful += 1
            continue
        try:
            rows.append(_row(named))
        except ValueError as problem:
            problems.append(UnreadableFile(str(path), str(problem), record=f"line {reader.line_num}"))
    commits = tuple(name for name in header or () if _plain(name) in COMMIT_LOG_COLUMNS)
    told = _frame(rows, "commits" if commits else "csv")
    return DeploymentFile(told, tuple(problems), _notes(commits, unsuccessful))


def parse_moment(text: str) -> int:
    """Nanoseconds since 1970 UTC of an ISO 8601 time (without a zone: UTC) or a count since 1970.

    Raises:
        ValueError: it is neither, or not between 2000 and 2100.
    """
    expected = "expected a time such as 2026-11-21T10:15:00Z, or seconds since 1970"
    try:
        moment_ns = _since_epoch(text) if re.fullmatch(r"\d{5,20}(\.\d+)?", text) else _iso(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{expected}; got {_shown(text)}") from None
    if not _ns(PLAUSIBLE[0]) <= moment_ns < _ns(PLAUSIBLE[1]):
        raise ValueError(f"{expected}, between the years 2000 and 2100; got {_shown(text)}")
    return moment_ns


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(str(path), f"expected a CSV file in UTF-8, byte {error.start} is not") from error
    except (OSError, EOFError) as error:
        raise UnreadableFile(str(path), f"expected a readable CSV file: {error}") from error


def _delimiter(text: str) -> str:
    header = text.split("\n", 1)[0]
    return max((",", ";", "\t"), key=header.count)


def _lines(reader: "Iterator[list[str]]", source: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableFile(source, f"expected CSV: {error}") from error


def _places(header: list[str], source: str) -> dict[str, int]:
    """Where each canonical column is."""
    plain = [_plain(name) for name in header]
    places = {
        column: plain.index(alias)
        for column, aliases in COLUMNS.items()
        if (alias := next((alias for alias in aliases if alias in plain), None)) is not None
    }
    missing = [column for column in ("timestamp", "service") if column not in places]
    if missing:
        raise UnreadableFile(
            source,
            "expected a header line with the columns timestamp, service, version (environment is optional); "
            f"no column is a {' or a '.join(missing)}; got {_shown(', '.join(header))}",
            record="line 1",
        )
    return places


def _row(named: Mapping[str, str]) -> tuple[str, str, str, int]:
    if not named["service"]:
        raise ValueError("expected the name of a service; the cell is empty")
    moment_ns = parse_moment(named["timestamp"])
    return named["service"], named.get("environment", ""), named.get("version", ""), moment_ns


def _frame(rows: list[tuple[str, str, str, int]], source: str) -> pl.DataFrame:
    read = pl.DataFrame(
        rows,
        schema={"service": pl.String, "environment": pl.String, "version": pl.String, "at_ns": pl.Int64},
        orient="row",
    )
    told = read.with_columns(earliest_ns=pl.col("at_ns"), source=pl.lit(source)).select(DEPLOYMENT.names())
    return told.unique().sort("at_ns", "service", "environment", "version")


def _notes(commits: tuple[str, ...], unsuccessful: int) -> tuple[str, ...]:
    notes = []
    if commits:
        notes.append(
            f"this is a commit log (columns {', '.join(commits)}): commits are not deployments, and dependency bots "
            "touch services on one schedule without coupling them; it is no evidence, import deployments instead"
        )
    if unsuccessful:
        notes.append(f"{unsuccessful} deployments that did not succeed were left out")
    return tuple(notes)


def _since_epoch(text: str) -> int:
    whole, _, fraction = text.partition(".")
    unit_ns = next(unit for least, unit in EPOCH_UNITS_NS if int(whole) >= least)
    return int(whole) * unit_ns + int(float(f"0.{fraction or 0}") * unit_ns)


def _iso(text: str) -> int:
    moment = datetime.fromisoformat(re.sub(r"\s*(UTC|GMT)$", "Z", text))
    return _ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _shown(value: str) -> str:
    short = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "…"
    return repr(short)
