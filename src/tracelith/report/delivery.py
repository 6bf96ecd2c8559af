"""Reports as files in a folder: ``tracelith-2026-W47.html``, ``.md`` and ``.json``; never half a file."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from tracelith.model.errors import InputError
from tracelith.report.html import render_html
from tracelith.report.json import render_json
from tracelith.report.markdown import render_markdown
from tracelith.report.week import IsoWeek
from tracelith.report.weekly import WeeklyReport

__all__ = [
    "FORMATS",
    "Format",
    "deliver",
    "file_name",
    "is_delivered",
    "write_atomically",
]

Format = Literal["html", "markdown", "json"]

FORMATS: Mapping[Format, Callable[[WeeklyReport], str]] = {
    "json": render_json,
    "markdown": render_markdown,
    # Last: where the page is, the other two are.
    "html": render_html,
}
SUFFIXES: Mapping[Format, str] = {"html": "html", "markdown": "md", "json": "json"}


def file_name(week: IsoWeek, kind: Format) -> str:
    """What the report of this week is called."""
    return f"tracelith-{week}.{SUFFIXES[kind]}"


def deliver(report: WeeklyReport, folder: Path, formats: Iterable[Format] = tuple(FORMATS)) -> list[Path]:
    """Writes the report into the folder, which is created if need be; a report already there is replaced.

    Raises:
        InputError: the folder cannot be written.
    """
    rendered = [(folder / file_name(report.week, kind), FORMATS[kind](report)) for kind in formats]
    for file, content in rendered:
        write_atomically(file, content)
    return [file for file, _ in rendered]


def write_atomically(file: Path, content: str) -> None:
    """Writes the text so that readers see either the old file or the new one, and a crash leaves one of them.

    Raises:
        InputError: the file cannot be written.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="\n") as output:
            output.write(content)
            output.flush()
            os.fsync(output.fileno())
        unfinished.replace(file)
    except OSError as error:
        with suppress(OSError):  # the folder itself may be what is wrong
            unfinished.unlink(missing_ok=True)
        raise InputError(f"the report cannot be written to {file}: {error.strerror or error}") from error


def is_delivered(folder: Path, week: IsoWeek) -> bool:
    """Whether the report of this week is in the folder, in every format."""
    return (folder / file_name(week, "html")).is_file()
