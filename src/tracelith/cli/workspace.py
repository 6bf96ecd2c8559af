"""A database and an engine for commands that work without a server: on a file, or in memory for one answer."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.analysis.running.observing import observe_registered
from tracelith.analysis.running.pool import usable_processors
from tracelith.cli.progress import bar
from tracelith.declared import load_declarations
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.deployments import read_deployments_csv
from tracelith.ingest.describe import describe
from tracelith.ingest.importing import ImportSummary, import_paths
from tracelith.model.declarations import Declarations
from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import InputError, UnreadableFile
from tracelith.model.schema import RawSpans
from tracelith.store import Store

__all__ = ["Workspace", "open_workspace", "show_import", "show_problems"]

SHOWN_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class Workspace:
    """A store that this process owns, and its engine."""

    store: Store
    engine: Engine

    def import_traces(self, paths: Sequence[Path], *, keep_attributes: bool = False) -> ImportSummary:
        """Stores the traces of files and folders, and analyses nothing yet; problems go to standard error.

        Raises:
            InputError: no file held a single readable trace.
        """
        writer = SpanWriter(self.store)

        def store(raw: RawSpans) -> None:
            writer.write([describe(raw)])
            if raw.rejections:
                self.store.record_refusals({refusal.reason: refusal.spans for refusal in raw.rejections})

        with bar("importing") as advance:
            summary = import_paths(paths, store, keep_attributes=keep_attributes, on_progress=advance)
        show_import(summary, named=paths)
        return summary

    def import_deployments(self, file: Path) -> int:
        """Stores the deployments of a CSV file and returns how many were new; unreadable lines go to standard error."""
        read = read_deployments_csv(file)
        show_problems(read.problems)
        for note in read.notes:
            sys.stderr.write(f"tracelith: {file}: {note}\n")
        return self.store.add_deployments(read.deployments)

    def analyse(self) -> None:
        """Brings every fact up to date."""
        with bar("analysing") as advance:
            self.engine.analyse_stale(0.0, on_progress=advance)

    def conclude(self, environment: str | None, since_ns: int | None, until_ns: int | None) -> AnalysisDocument:
        """The analysis document of the period, by default of everything there is."""
        start_ns, end_ns = self.store.period() or (0, 0)
        return self.engine.conclude(
            environment,
            start_ns if since_ns is None else since_ns,
            end_ns if until_ns is None else until_ns,
        )


@contextmanager
def open_workspace(db: Path | None, declarations: Path | None = None) -> Iterator[Workspace]:
    """A workspace on the file, or in memory, with what a file declares about the system.

    Raises:
        ConfigurationError: the declarations cannot be used.
        StoreError: the file cannot be used; StoreLocked when a server owns it.
    """
    declared = load_declarations(declarations) if declarations else Declarations()
    with Store.open(db) as store:
        engine = Engine(
            store,
            registered_analyses(),
            observe=observe_registered,
            processes=usable_processors(),
            declarations=lambda: declared,
        )
        yield Workspace(store, engine)


def show_import(summary: ImportSummary, *, named: Sequence[Path]) -> None:
    """Prints what could not be read: files met in folders that hold no traces by name, everything else in full.

    Raises:
        InputError: not a single span was read.
    """
    asked_for = {str(path) for path in named}
    passed_over = [
        problem
        for problem in summary.problems
        if not problem.record and problem.source not in asked_for and not summary.nothing_read
    ]
    show_problems(problem for problem in summary.problems if problem not in passed_over)
    if passed_over:
        names = ", ".join(problem.source for problem in passed_over[:SHOWN_PROBLEMS])
        rest = f" and {len(passed_over) - SHOWN_PROBLEMS} more" if len(passed_over) > SHOWN_PROBLEMS else ""
        sys.stderr.write(f"tracelith: passed over, no traces in: {names}{rest}\n")
    if summary.nothing_read:
        raise InputError("no spans were read; see the messages above for what was expected")


def show_problems(problems: Iterable[UnreadableFile]) -> None:
    """Prints what could not be read, the first few in full."""
    listed = list(problems)
    for problem in listed[:SHOWN_PROBLEMS]:
        sys.stderr.write(f"tracelith: {problem}\n")
    if len(listed) > SHOWN_PROBLEMS:
        sys.stderr.write(f"tracelith: {len(listed) - SHOWN_PROBLEMS} more problems of this kind\n")
