"""``tracelith report``: the weekly report, from a database or from the server that owns it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from tracelith.analysis.times import iso_time
from tracelith.cli.options import ReportFormat
from tracelith.cli.server_client import RunningServer, find_server, refuse_declarations
from tracelith.cli.workspace import open_workspace
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import InputError, StoreLocked
from tracelith.report.composite import Documents
from tracelith.report.delivery import FORMATS, file_name, write_atomically
from tracelith.report.week import IsoWeek
from tracelith.report.weekly import WeeklyReport, build_report

__all__ = ["report_week"]

ANALYSIS_FAILED = 3


def report_week(
    file: Path,
    week: str | None,
    environment: str | None,
    declarations: Path | None,
    *,
    output: ReportFormat,
    out: Path | None,
) -> int:
    """Writes the report on the week from the database or from the server that owns it, and returns the exit code."""
    chosen = IsoWeek.parse(week) if week else IsoWeek.last_full(datetime.now(UTC))
    if not file.exists():
        raise InputError(f"{file} does not exist; name the database with --db")
    try:
        with open_workspace(file, declarations) as workspace:
            workspace.analyse()
            built = build_report(workspace.engine.conclude, chosen, environment=environment)
    except StoreLocked as locked:
        server = find_server(file, locked)
        refuse_declarations(file, declarations)
        built = build_report(_documents_of(server), chosen, environment=environment)
    _write(built, output, out)
    if any(analysis["error"] for analysis in built.document["analyses"]):
        return ANALYSIS_FAILED
    return 0


def _documents_of(server: RunningServer) -> Documents:
    def documents(environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        document: AnalysisDocument = server.get(
            "/api/v1/analysis", environment=environment, since=iso_time(start_ns), until=iso_time(end_ns)
        )
        return document

    return documents


def _write(built: WeeklyReport, output: ReportFormat, out: Path | None) -> None:
    content = FORMATS[output](built)
    if out is None and output != "html":
        sys.stdout.write(content)
        return
    folder = out or Path()
    target = folder / file_name(built.week, output) if folder.is_dir() else folder
    write_atomically(target, content)
    typer.echo(f"{built.headline}\nThe report is in {target}", err=True)
