"""Options that several commands share, their defaults and choices, and the values they parse to."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from tracelith.model.errors import InputError

__all__ = [
    "DEFAULT_DB",
    "DEFAULT_TRACES",
    "DEFAULT_WEEKS",
    "Db",
    "DeclarationsFile",
    "Deployments",
    "Environment",
    "Format",
    "ReportFormat",
    "Since",
    "Spans",
    "SystemName",
    "Until",
    "parse_time_ns",
]

# Repeated from the packages that own them, which take long to import; a test compares.
DEFAULT_DB = Path("tracelith.duckdb")
DEFAULT_WEEKS, DEFAULT_TRACES = 12, 20_000
SystemName = Literal[
    "login",
    "kafka",
    "payment",
    "fifty",
    "healthy",
    "train",
    "trading",
    "modular",
    "gateway",
    "random-healthy",
    "random-coupled",
    "random-depth",
    "random-tail",
    "random-codeployment",
    "random-data",
    "random-failures",
    "random-queues",
    "random-structure",
    "random-tangled",
    "random-scaling",
]
ReportFormat = Literal["html", "markdown", "json"]

Format = Literal["text", "json"]
Spans = Annotated[int, typer.Option(min=1000, help="About how many spans.")]

Db = Annotated[Path | None, typer.Option("--db", help="DuckDB file.", show_default=False)]
Deployments = Annotated[
    Path | None, typer.Option(help="CSV with columns timestamp, service, version.", show_default=False)
]
DeclarationsFile = Annotated[
    Path | None,
    typer.Option(
        "--declarations", help="TOML file: aliases of databases, owners of tables and services.", show_default=False
    ),
]
Environment = Annotated[
    str | None,
    typer.Option(help="Deployment environment; by default the one with most spans.", show_default=False),
]
Since = Annotated[str | None, typer.Option(help="ISO time (UTC), or an age such as 7d or 12h.", show_default=False)]
Until = Annotated[str | None, typer.Option(help="ISO time (UTC), or an age such as 1d.", show_default=False)]

AGE = re.compile(r"(\d+)([mhdw])")
AGE_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time_ns(text: str, *, option: str, now: datetime | None = None) -> int:
    """Nanoseconds since 1970 of an ISO time (UTC unless it names a zone) or of an age before now.

    Raises:
        InputError: neither of them.
    """
    if age := AGE.fullmatch(text):
        moment = (now or datetime.now(UTC)) - timedelta(**{AGE_UNITS[age[2]]: int(age[1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise InputError(
                f"{option}: '{text}' is neither an ISO time such as 2026-11-16T08:00 nor an age such as 7d"
            ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000
