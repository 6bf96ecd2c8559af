"""``tracelith import`` and ``tracelith deployments import``: files into a database, or into a running server."""

from pathlib import Path
from typing import Annotated

import typer

from tracelith.cli.options import Environment
from tracelith.cli.server_client import RunningServer, find_server
from tracelith.cli.workspace import bar, open_workspace, show_problems
from tracelith.config import Settings
from tracelith.ingest.deployments import read_deployments_csv
from tracelith.ingest.encode import encode_request
from tracelith.ingest.importing import ImportSummary, import_paths
from tracelith.model.errors import InputError, StoreLocked
from tracelith.model.schema import RawSpans

__all__ = ["deployments", "import_traces"]

DEFAULT_DB = Settings.model_fields["db"].default

deployments = typer.Typer(no_args_is_help=True, help="Deployments told by people and pipelines.")


def import_traces(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; the format is detected from the content.")],
    db: Annotated[Path, typer.Option(help="DuckDB file; a server that owns it receives the spans.")] = DEFAULT_DB,
) -> None:
    """Import OTLP (JSON, JSON lines, protobuf), Jaeger and Zipkin files, also gzipped."""
    try:
        with open_workspace(db) as workspace:
            summary = workspace.import_traces(paths)
            workspace.analyse()
    except StoreLocked as locked:
        summary = _export(paths, find_server(db, locked))
    typer.echo(_sentence(summary))


@deployments.command("import")
def import_deployments(
    file: Annotated[Path, typer.Argument(help="CSV with columns timestamp, service, version.")],
    db: Annotated[Path, typer.Option(help="DuckDB file; a server that owns it receives the rows.")] = DEFAULT_DB,
    environment: Environment = None,
) -> None:
    """Import deployments from a CSV file. Times without a zone are UTC."""
    read = read_deployments_csv(file, environment=environment or "")
    show_problems(read.problems)
    if read.deployments.is_empty():
        raise InputError(f"{file}: no deployment could be read")
    try:
        with open_workspace(db) as workspace:
            new = workspace.store.add_deployments(read.deployments)
    except StoreLocked as locked:
        new = _post_deployments(find_server(db, locked), read.deployments.to_dicts())
    typer.echo(
        f"{new} new of {read.deployments.height} deployments of {read.deployments['service'].n_unique()} services"
    )


def _export(paths: list[Path], server: RunningServer) -> ImportSummary:
    def export(raw: RawSpans) -> None:
        server.export(encode_request(raw))

    with bar("sending to the running server") as advance:
        summary = import_paths(paths, export, on_progress=advance)
    show_problems(summary.problems)
    if summary.nothing_read:
        raise InputError("no spans were read; see the messages above for what was expected")
    return summary


def _post_deployments(server: RunningServer, rows: list[dict[str, object]]) -> int:
    body = [
        {
            "service": row["service"],
            "version": row["version"],
            "environment": row["environment"],
            "timestamp": row["at_ns"],
        }
        for row in rows
    ]
    return int(server.post_json("/api/v1/deployments", body)["added"])


def _sentence(summary: ImportSummary) -> str:
    refused = f", {summary.rejected:,} refused" if summary.rejected else ""
    problems = f", {len(summary.problems)} problems" if summary.problems else ""
    return f"{summary.spans:,} spans from {summary.files} files{refused}{problems}"
