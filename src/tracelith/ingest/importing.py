"""Imports files and folders of traces: every readable span reaches the sink, everything else is named."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tracelith.ingest.readers import ReadBatch, read_file
from tracelith.model.errors import UnreadableFile
from tracelith.model.schema import RawSpans

__all__ = ["PROBLEMS_KEPT", "ImportSummary", "import_paths"]

PROBLEMS_KEPT = 1000
"""Problems a summary holds; further ones are only counted, so that a broken archive cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import came to.

    Attributes:
        files: files of which at least one span was taken.
        spans: spans handed to the sink. rejected: spans refused.
        problems: what could not be read, at most PROBLEMS_KEPT. problem_count: how many there were.
        formats: number of files by format, e.g. ``{"Jaeger JSON": 2}``; a file of two formats counts for both.
    """

    files: int
    spans: int
    rejected: int
    problems: tuple[UnreadableFile, ...]
    problem_count: int
    formats: dict[str, int]

    @property
    def nothing_read(self) -> bool:
        """Whether not a single span came in, which no caller should take for success."""
        return self.spans == 0


class _Tally:
    """Counts while importing."""

    def __init__(self) -> None:
        self.files = 0
        self.spans = 0
        self.rejected = 0
        self.problems: list[UnreadableFile] = []
        self.problem_count = 0
        self.formats: Counter[str] = Counter()

    def add_problems(self, problems: Iterable[UnreadableFile]) -> None:
        for problem in problems:
            self.problem_count += 1
            if len(self.problems) < PROBLEMS_KEPT:
                self.problems.append(problem)

    def summary(self) -> ImportSummary:
        return ImportSummary(
            self.files, self.spans, self.rejected, tuple(self.problems), self.problem_count, dict(self.formats)
        )


def import_paths(
    paths: Iterable[Path],
    sink: Callable[[RawSpans], None],
    *,
    keep_attributes: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Reads files, and folders with everything in them, in order of name.

    A file that cannot be read is a problem and never the end of the import. Hidden files in folders are left out; a
    file reached twice is read once.

    Args:
        sink: takes each batch of spans and keeps it; what it raises ends the import.
        keep_attributes: also fill in the details of spans.
        on_progress: called with bytes done and bytes in total, of files as they lie on disk.
    """
    report = on_progress or _say_nothing
    tally = _Tally()
    files: dict[Path, Path] = {}
    for path in paths:
        for file in _files_under(path, tally):
            files.setdefault(file.resolve(), file)  # named in messages as it was reached
    sizes = [_size(file) for file in files.values()]
    total, done = sum(sizes), 0
    for file, size in zip(files.values(), sizes, strict=True):
        for batch in _batches(file, tally, keep_attributes=keep_attributes):
            if batch.raw.spans.height:
                sink(batch.raw)
            report(min(done + batch.bytes_done, total), total)
        done += size
        report(done, total)
    return tally.summary()


def _say_nothing(_done: int, _total: int) -> None:
    """No progress wanted."""


def _batches(file: Path, tally: _Tally, *, keep_attributes: bool) -> Iterator[ReadBatch]:
    """The batches of one file, counted."""
    formats: set[str] = set()
    spans_before, problems_before = tally.spans, tally.problem_count
    rejected_before = tally.rejected
    try:
        for batch in read_file(file, keep_attributes=keep_attributes):
            tally.add_problems(batch.problems)
            tally.rejected += sum(rejection.spans for rejection in batch.raw.rejections)
            if batch.raw.spans.height:
                tally.spans += batch.raw.spans.height
                formats.add(batch.format)
            yield batch
    except UnreadableFile as problem:
        tally.add_problems([problem])
    if tally.spans > spans_before:
        tally.files += 1
        tally.formats.update(formats)
    elif tally.problem_count == problems_before and tally.rejected == rejected_before:
        tally.add_problems([UnreadableFile(str(file), "holds no spans")])


def _files_under(path: Path, tally: _Tally) -> Iterator[Path]:
    if not path.is_dir():
        if path.exists() and not path.is_file():
            tally.add_problems([UnreadableFile(str(path), "is neither a file nor a folder")])
        else:
            yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            file for name in sorted(names) if not name.startswith(".") and (file := Path(folder, name)).is_file()
        )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # it will be reported when it is opened
