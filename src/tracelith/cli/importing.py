"""``tracelith import`` and ``tracelith deployments import``: files into a database, or into a running server."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import typer

from tracelith.cli.progress import bar
from tracelith.cli.server_client import RunningServer, find_server
from tracelith.cli.workspace import open_workspace, show_import, show_problems
from tracelith.ingest.deployments import read_deployments_csv
from tracelith.ingest.encode import encode_request
from tracelith.ingest.importing import ImportSummary, import_paths
from tracelith.model.errors import InputError, StoreLocked
from tracelith.model.schema import RawSpans

__all__ = ["import_deployment_file", "import_trace_files"]

SHOWN_REASONS = 10

POSTED_AT_ONCE = 1000
"""Deployments in one request: well below the server's limit for a body."""


def import_trace_files(paths: list[Path], db: Path, *, keep_attributes: bool = False) -> None:
    """Stores the traces in the database, through the server that owns it if there is one, and says how many.

    Args:
        keep_attributes: also keep all that spans say. A server is told it in any case, and keeps it if it keeps that of
            other spans.
    """
    try:
        with open_workspace(db) as workspace:
            summary = workspace.import_traces(paths, keep_attributes=keep_attributes)
            workspace.analyse()
    except StoreLocked as locked:
        summary = _export(paths, find_server(db, locked))
    typer.echo(_sentence(summary))


def import_deployment_file(file: Path, db: Path, environment: str | None) -> None:
    """Stores the deployments in the database, through the server that owns it if there is one, and says how many."""
    read = read_deployments_csv(file)
    show_problems(read.problems)
    for note in read.notes:
        typer.echo(note, err=True)
    rows = read.deployments
    if environment is not None:
        rows = rows.with_columns(environment=pl.lit(environment))
    if rows.is_empty():
        raise InputError(f"{file}: no deployment could be read")
    try:
        with open_workspace(db) as workspace:
            new = workspace.store.add_deployments(rows)
    except StoreLocked as locked:
        new = _post_deployments(find_server(db, locked), rows)
    typer.echo(f"{new} new of {rows.height} deployments of {rows['service'].n_unique()} services")


def _export(paths: list[Path], server: RunningServer) -> ImportSummary:
    refused = 0
    reasons = dict[str, None]()

    def export(raw: RawSpans) -> None:
        nonlocal refused
        spans, reason = server.export(encode_request(raw))
        if spans:
            refused += spans
            reasons[reason] = None

    with bar("sending to the running server") as advance:
        summary = import_paths(paths, export, keep_attributes=True, on_progress=advance)
    show_import(summary, named=paths)
    for reason in list(reasons)[:SHOWN_REASONS]:
        typer.echo(f"tracelith: the running server: {reason}", err=True)
    return replace(summary, spans=summary.spans - refused, rejected=summary.rejected + refused)


def _post_deployments(server: RunningServer, rows: pl.DataFrame) -> int:
    """The rows told to the server, which keeps their source as "api"; how many were new."""
    body = rows.select("service", "version", "environment", timestamp=pl.col("at_ns") / 1e9).to_dicts()
    parts = [body[first : first + POSTED_AT_ONCE] for first in range(0, len(body), POSTED_AT_ONCE)]
    return sum(int(server.post_json("/api/v1/deployments", part)["added"]) for part in parts)


def _sentence(summary: ImportSummary) -> str:
    refused = f", {summary.rejected:,} refused" if summary.rejected else ""
    formats = ", ".join(sorted(summary.formats))
    return f"{summary.spans:,} spans from {summary.files} files ({formats}){refused}"
