"""``tracelith report``: the weekly report, from a database or from the server that owns it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tracelith.analysis.times import iso_time
from tracelith.cli.importing import DEFAULT_DB
from tracelith.cli.options import Db, Environment
from tracelith.cli.server_client import RunningServer, find_server
from tracelith.cli.workspace import open_workspace
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import InputError, StoreLocked
from tracelith.report.composite import Documents
from tracelith.report.delivery import FORMATS, Format, file_name, write_atomically
from tracelith.report.week import IsoWeek
from tracelith.report.weekly import WeeklyReport, build_report

__all__ = ["report"]

ANALYSIS_FAILED = 3


def report(
    db: Db = None,
    week: Annotated[
        str | None, typer.Option(help="ISO week such as 2026-W47; by default the last full one.", show_default=False)
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="What to write.")] = "html",
    out: Annotated[
        Path | None,
        typer.Option(
            help="File or folder to write to; by default HTML goes to a file here, the rest to standard output.",
            show_default=False,
        ),
    ] = None,
    environment: Environment = None,
) -> None:
    """Report on a week: what was found, what changed since the week before, and how good the evidence is."""
    chosen = IsoWeek.parse(week) if week else IsoWeek.last_full(datetime.now(UTC))
    file = db or DEFAULT_DB
    if not file.exists():
        raise InputError(f"{file} does not exist; name the database with --db")
    try:
        with open_workspace(file) as workspace:
            workspace.analyse()
            built = build_report(workspace.engine.conclude, chosen, environment=environment)
    except StoreLocked as locked:
        built = build_report(_documents_of(find_server(file, locked)), chosen, environment=environment)
    _write(built, output, out)
    if any(analysis["error"] for analysis in built.document["analyses"]):
        raise typer.Exit(ANALYSIS_FAILED)


def _documents_of(server: RunningServer) -> Documents:
    def documents(environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        document: AnalysisDocument = server.get(
            "/api/v1/analysis", environment=environment, since=iso_time(start_ns), until=iso_time(end_ns)
        )
        return document

    return documents


def _write(built: WeeklyReport, output: Format, out: Path | None) -> None:
    content = FORMATS[output](built)
    if out is None and output != "html":
        sys.stdout.write(content)
        return
    folder = out or Path()
    target = folder / file_name(built.week, output) if folder.is_dir() else folder
    write_atomically(target, content)
    typer.echo(f"{built.headline}\nThe report is in {target}", err=True)
