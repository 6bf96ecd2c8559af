"""Every command with its options: the contract that scripts rely on, and nothing that takes long to import.

What a command does is imported when it runs. The libraries for numbers, charts and servers take more than a second to
import, which nobody should wait for to read a line of help or to be told of a typing error.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tracelith.cli.options import (
    DEFAULT_DB,
    DEFAULT_TRACES,
    DEFAULT_WEEKS,
    Db,
    DeclarationsFile,
    Deployments,
    Environment,
    Format,
    ReportFormat,
    Since,
    Spans,
    SystemName,
    Until,
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tells from OpenTelemetry traces whether your microservices are a distributed monolith.",
)
deployments_app = typer.Typer(no_args_is_help=True, help="Deployments told by people and pipelines.")
bench_app = typer.Typer(no_args_is_help=True, help="Figures on this machine, with CPU seconds per million spans.")


@app.command()
def demo(
    traces: Annotated[int, typer.Option(min=100, help="Requests to simulate.")] = DEFAULT_TRACES,
    weeks: Annotated[int, typer.Option(min=1, help="Weeks to simulate.")] = DEFAULT_WEEKS,
    browser: Annotated[bool, typer.Option(help="Open the dashboard in the browser.")] = True,
    stay: Annotated[bool, typer.Option(help="Keep serving until interrupted.")] = True,
) -> None:
    """Simulate the login system, send it through the real receiver, and open the dashboard on the findings."""
    from tracelith.cli.serving import run_demo

    run_demo(traces=traces, weeks=weeks, browser=browser, stay=stay)


@app.command()
def serve(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.", show_default=False)] = None,
    db: Db = None,
    grpc: Annotated[str | None, typer.Option(help="OTLP/gRPC address.", show_default="127.0.0.1:4317")] = None,
    http: Annotated[str | None, typer.Option(help="OTLP/HTTP address.", show_default="127.0.0.1:4318")] = None,
    web: Annotated[str | None, typer.Option(help="Dashboard address.", show_default="127.0.0.1:8080")] = None,
    reports: Annotated[Path | None, typer.Option(help="Folder of weekly reports.", show_default="reports")] = None,
    declarations: DeclarationsFile = None,
    max_db_bytes: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Stay below this size, for example 20GB.", show_default="no limit"),
    ] = None,
    keep_attributes: Annotated[
        bool | None, typer.Option("--keep-attributes", help="Also keep all that spans say, to show it with a trace.")
    ] = None,
) -> None:
    """Run receiver, engine, dashboard and weekly report until interrupted.

    Every setting can also come from a TOML file or from the environment (TRACELITH_DB, TRACELITH_GRPC, ...).
    """
    from tracelith.cli.threads import bound_threads

    bound_threads()
    from tracelith.cli.serving import run_server

    addresses = {"grpc": grpc, "http": http, "web": web}
    kept = {"max_db_bytes": max_db_bytes, "keep_attributes": keep_attributes}
    run_server({"db": db, **addresses, "reports": reports, "declarations": declarations, **kept}, config)


@app.command("import")
def import_traces(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders; the format is detected from the content.")],
    db: Annotated[Path, typer.Option(help="DuckDB file; a server that owns it receives the spans.")] = DEFAULT_DB,
    keep_attributes: Annotated[
        bool, typer.Option("--keep-attributes", help="Also keep all that spans say; a server does as it was told.")
    ] = False,
) -> None:
    """Import OTLP (JSON, JSON lines, protobuf), Jaeger and Zipkin files, also gzipped."""
    from tracelith.cli.importing import import_trace_files

    import_trace_files(paths, db, keep_attributes=keep_attributes)


app.add_typer(deployments_app, name="deployments")


@deployments_app.command("import")
def import_deployments(
    file: Annotated[Path, typer.Argument(help="CSV with columns timestamp, service, version.")],
    db: Annotated[Path, typer.Option(help="DuckDB file; a server that owns it receives the rows.")] = DEFAULT_DB,
    environment: Environment = None,
) -> None:
    """Import deployments from a CSV file. Times without a zone are UTC."""
    from tracelith.cli.importing import import_deployment_file

    import_deployment_file(file, db, environment)


@app.command()
def analyze(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Trace files or folders; none to analyse --db alone.")
    ] = None,
    db: Db = None,
    deployments: Deployments = None,
    declarations: DeclarationsFile = None,
    since: Since = None,
    until: Until = None,
    environment: Environment = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = "text",
    fail_on: Annotated[
        Literal["warning", "critical"] | None, typer.Option(help="Exit with 1 on findings at or above this.")
    ] = None,
) -> None:
    """Analyse traces: what is called in chains, deploys together, fails together, or shares its data."""
    from tracelith.cli.analysing import analyse

    raise typer.Exit(
        analyse(
            paths or [],
            db,
            deployments,
            declarations=declarations,
            environment=environment,
            since=since,
            until=until,
            output=output,
            fail_on=fail_on,
        )
    )


@app.command("compile")
def compile_() -> None:
    """Compile what analyses run, for this machine: half a minute that else the first analysis takes."""
    from tracelith.cli.compiling import compile_loops

    compile_loops()


@app.command()
def report(
    db: Db = None,
    week: Annotated[
        str | None, typer.Option(help="ISO week such as 2026-W47; by default the last full one.", show_default=False)
    ] = None,
    output: Annotated[ReportFormat, typer.Option("--format", help="What to write.")] = "html",
    out: Annotated[
        Path | None,
        typer.Option(
            help="File or folder to write to; by default HTML goes to a file here, the rest to standard output.",
            show_default=False,
        ),
    ] = None,
    environment: Environment = None,
    declarations: DeclarationsFile = None,
) -> None:
    """Report on a week: what was found, what changed since the week before, and how good the evidence is."""
    from tracelith.cli.reporting import report_week

    raise typer.Exit(report_week(db or DEFAULT_DB, week, environment, declarations, output=output, out=out))


@app.command()
def simulate(
    system: Annotated[SystemName, typer.Argument(help="Which system.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; created if need be.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    weeks: Annotated[int, typer.Option(min=1, help="Length of the period.")] = DEFAULT_WEEKS,
    traces: Annotated[int, typer.Option(min=1, help="Requests from outside.")] = DEFAULT_TRACES,
    until: Annotated[str | None, typer.Option(help="End of the period, ISO time (UTC); now by default.")] = None,
    train: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Of the deployments of a random system, those that wait for a release train.",
            show_default="as its plan says",
        ),
    ] = None,
    encoding: Annotated[
        Literal["json", "protobuf"], typer.Option(help="Lines of OTLP/JSON, or OTLP protobuf; both gzipped.")
    ] = "json",
    sampling: Annotated[
        float | None,
        typer.Option(
            metavar="P", min=0, max=1, help="Keep whole traces with this probability.", show_default="all are kept"
        ),
    ] = None,
    sampling_unknown: Annotated[
        bool, typer.Option("--sampling-unknown", help="Do not write the probability into the trace state.")
    ] = False,
    keep_slow: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            min=0,
            help="Sample by the tail: keep failed traces and those that take longer; P of the others.",
            show_default=False,
        ),
    ] = None,
    lost: Annotated[float, typer.Option(metavar="SHARE", min=0, max=1, help="Spans that never arrive.")] = 0.0,
    duplicated: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Exported batches that arrive twice.")
    ] = 0.0,
    skew_ms: Annotated[float, typer.Option(metavar="MS", min=0, help="Typical error of a host's clock.")] = 0.0,
    kindless: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE", help="Writes spans without a kind; may be repeated.")
    ] = None,
    sidecar: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE", help="With a mesh proxy in front that writes spans; may be repeated."),
    ] = None,
    silent: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE", help="Writes no spans itself; may be repeated.")
    ] = None,
) -> None:
    """Write a simulated system as OTLP, with deployments.csv and the planted truth beside it.

    The spans arrive as they would from flawless instrumentation unless an option says otherwise; truth.json lists what
    was done to them.
    """
    from dataclasses import replace

    from tracelith.cli.simulating import sampling_defects, write_system

    defects = replace(
        sampling_defects(sampling, unknown=sampling_unknown, keep_slow_ms=keep_slow),
        lost_spans=lost,
        duplicated_batches=duplicated,
        skew_ms=skew_ms,
        kindless=tuple(kindless or ()),
        sidecars=tuple(sidecar or ()),
        silent=tuple(silent or ()),
    )
    write_system(
        system,
        out,
        seed=seed,
        weeks=weeks,
        traces=traces,
        until=until,
        train_share=train,
        defects=defects,
        file_format=encoding,
    )


@app.command()
def evaluate(
    set_name: Annotated[
        Literal["quick", "full"], typer.Option("--set", help="quick takes a few minutes, full many hours.")
    ] = "quick",
    only: Annotated[
        list[str] | None, typer.Option(metavar="DETECTOR", help="Only what this detector needs; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other systems.")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one for each core")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps finished cases; what the same version left there is not run again."),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Also write the result as an HTML page.")] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = "text",
) -> None:
    """Run every analysis on simulated systems with planted truth: how right, how wrong, how sure.

    Exits with 1 where a threshold is missed.
    """
    from tracelith.cli.evaluating import evaluate as run

    raise typer.Exit(run(set_name, seed=seed, only=only or [], jobs=jobs, out=out, page=page, output=output))


app.add_typer(bench_app, name="bench")


@bench_app.command("ingest")
def bench_ingest(
    spans: Spans = 3_000_000,
    batch: Annotated[int, typer.Option(min=8, help="Spans per request.")] = 8192,
    in_flight: Annotated[
        int | None, typer.Option(min=1, help="Requests under way at once.", show_default="16 large to 64 small ones")
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the requests.")] = False,
    rate: Annotated[
        int | None,
        typer.Option(min=1, help="Steady load of so many spans a second, instead of as fast as it goes."),
    ] = None,
    duration: Annotated[float, typer.Option(min=1, help="Seconds of steady load.")] = 60.0,
    busy: Annotated[
        bool, typer.Option("--busy", help="Once more while the engine analyses and the dashboard is used.")
    ] = False,
    against: Annotated[str | None, typer.Option(help="host:port of any other OTLP/gRPC receiver.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the database goes; a temporary folder by default.")] = None,
    serve_option: Annotated[
        list[str] | None, typer.Option(help="Setting of the server, such as span_days=1; may be repeated.")
    ] = None,
    samples: Annotated[Path | None, typer.Option(help="File that gets a line of JSON every few seconds.")] = None,
    sample_every: Annotated[float, typer.Option(min=0.5, help="Seconds between two samples.")] = 10.0,
    output: Annotated[Format, typer.Option("--format", help="How to print the figures.")] = "text",
) -> None:
    """Spans acknowledged per second, end to end, generator and server on this machine."""
    from tracelith.bench.load import LoadPlan
    from tracelith.cli.benchmarks import measure_ingest

    # Small batches come from many senders, as each waits for its answer.
    under_way = in_flight or min(64, max(16, 32_768 // batch))
    plan = LoadPlan(batch=batch, in_flight=under_way, gzip=gzip, spans=spans, rate=rate, duration_s=duration)
    raise typer.Exit(
        measure_ingest(
            plan,
            against=against,
            folder=folder,
            options=serve_option or [],
            busy=busy,
            samples=samples,
            sample_every_s=sample_every,
            output=output,
        )
    )


@bench_app.command("analyze")
def bench_analyze(
    spans: Spans = 2_000_000,
    output: Annotated[Format, typer.Option("--format", help="How to print the figures.")] = "text",
) -> None:
    """Spans per second through the forest and through all analyses."""
    from tracelith.cli.benchmarks import measure_analyses

    measure_analyses(spans=spans, output=output)


@bench_app.command("storage")
def bench_storage(
    spans: Spans = 500_000,
    folder: Annotated[Path | None, typer.Option(help="Where the files go; a temporary folder by default.")] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print the figures.")] = "text",
) -> None:
    """Bytes per span at rest, by column, for small and large requests, and the price of keeping all attributes."""
    from tracelith.cli.benchmarks import measure_storage

    measure_storage(spans=spans, folder=folder, output=output)
