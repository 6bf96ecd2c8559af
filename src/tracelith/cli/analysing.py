"""``tracelith analyze``: the answers, in the terminal or as JSON."""

import json
import sys
from pathlib import Path
from typing import Literal

from rich.console import Console

from tracelith.analysis.times import iso_time
from tracelith.cli.options import DEFAULT_DB, Format, parse_time_ns
from tracelith.cli.server_client import RunningServer, find_server, refuse_declarations
from tracelith.cli.workspace import Workspace, open_workspace
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import InputError, StoreLocked
from tracelith.model.findings import Severity
from tracelith.present.terminal import render_analysis

__all__ = ["analyse"]

FINDINGS, ANALYSIS_FAILED = 1, 3

PLAIN_WIDTH = 100
"""Columns when the output is no terminal: wide enough for the tables, narrow enough for a log."""


def analyse(
    paths: list[Path],
    db: Path | None,
    deployments: Path | None,
    *,
    declarations: Path | None,
    environment: str | None,
    since: str | None,
    until: str | None,
    output: Format,
    fail_on: Literal["warning", "critical"] | None,
) -> int:
    """Prints the answers about the paths, or without any about the database, and returns the exit code."""
    since_ns = None if since is None else parse_time_ns(since, option="--since")
    until_ns = None if until is None else parse_time_ns(until, option="--until")
    if since_ns is not None and until_ns is not None and since_ns >= until_ns:
        raise InputError(f"--since {since} is not before --until {until}")
    if not paths:
        file = _existing(db or DEFAULT_DB)
        try:
            with open_workspace(file, declarations) as workspace:
                document = _analyze_here(workspace, [], deployments, environment, since_ns, until_ns)
        except StoreLocked as locked:
            server = find_server(file, locked)
            if deployments:
                raise InputError(
                    f"a server owns {file} and answers for it; hand it the deployments first: "
                    f"tracelith deployments import {deployments} --db {file}"
                ) from None
            refuse_declarations(file, declarations)
            document = _ask_server(server, environment, since_ns, until_ns)
    else:
        with open_workspace(db, declarations) as workspace:
            document = _analyze_here(workspace, paths, deployments, environment, since_ns, until_ns)
    _show(document, output)
    return _exit_code(document, fail_on)


def _analyze_here(
    workspace: Workspace,
    paths: list[Path],
    deployments: Path | None,
    environment: str | None,
    since_ns: int | None,
    until_ns: int | None,
) -> AnalysisDocument:
    if paths:
        workspace.import_traces(paths)
    # A simulated or exported system is a folder with its deployments beside the traces.
    beside = [path / "deployments.csv" for path in paths if (path / "deployments.csv").is_file()]
    for file in [deployments] if deployments else beside:
        workspace.import_deployments(file)
    workspace.analyse()
    return workspace.conclude(environment, since_ns, until_ns)


def _ask_server(
    server: RunningServer, environment: str | None, since_ns: int | None, until_ns: int | None
) -> AnalysisDocument:
    # As moments: the server counts an age back from the end of its data, not from now.
    document: AnalysisDocument = server.get(
        "/api/v1/analysis",
        environment=environment,
        since="all" if since_ns is None else iso_time(since_ns),  # as on a file, not what the dashboard shows first
        until=None if until_ns is None else iso_time(until_ns),
    )
    return document


def _existing(db: Path) -> Path:
    if not db.exists():
        raise InputError(f"{db} does not exist; name trace files to analyse, or a database with --db")
    return db


def _show(document: AnalysisDocument, output: Format) -> None:
    if output == "json":
        json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    console = Console()
    render_analysis(document, console if console.is_terminal else Console(width=PLAIN_WIDTH))


def _exit_code(document: AnalysisDocument, fail_on: str | None) -> int:
    if any(analysis["error"] for analysis in document["analyses"]):
        return ANALYSIS_FAILED
    if fail_on is None:
        return 0
    threshold = Severity(fail_on).rank
    return FINDINGS if any(Severity(f["severity"]).rank >= threshold for f in document["findings"]) else 0
