"""Finished cases as lines of a file, so that a long evaluation that was ended goes on where it stopped.

One JSON object per line: {"code", "case", "seconds", "spans", "rows"}; rows by column. A line that was cut off while it
was written (a kill, a full disk) is recognised, and its case is run again. So is a case of other code: results of two
versions side by side would be the results of neither.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

import tracelith
from tracelith.evaluate.claims import Case
from tracelith.evaluate.judging import CASE_COLUMNS, JUDGED, of_case
from tracelith.evaluate.one_case import CaseResult
from tracelith.model.errors import InputError

__all__ = ["FILE", "code_digest", "digest_of", "read_results", "write_result"]

FILE = "cases.jsonl"

_OWN_COLUMNS = [name for name in JUDGED if name not in CASE_COLUMNS]


@cache
def code_digest() -> str:
    """Names the code that results come from: the package's sources as they are when a process first asks."""
    return digest_of(Path(tracelith.__file__).parent)


def digest_of(package: Path) -> str:
    """Hexadecimal SHA-256 of the names and contents of all Python files below a folder."""
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py")):
        content = (package / name).read_bytes()
        # Lengths keep apart what would else run together.
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def write_result(folder: Path, result: CaseResult) -> None:
    """Appends the result to the folder's file, on disk when this returns."""
    columns = result.rows.select(_OWN_COLUMNS).to_dict(as_series=False)
    line = {
        "code": code_digest(),
        "case": asdict(result.case),
        "seconds": result.seconds,
        "spans": result.spans,
        "rows": columns,
    }
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    with (folder / FILE).open("ab+") as file:
        file.write(text if _ends_in_line(file) else b"\n" + text)
        file.flush()
        os.fsync(file.fileno())


def _ends_in_line(file: BinaryIO) -> bool:
    """Whether what is written next begins a line: it does not after a line that was cut off."""
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def read_results(folder: Path, cases: Sequence[Case]) -> dict[Case, CaseResult]:
    """What the folder holds of these cases, found by this very code; the folder need not exist.

    Of a case that is there more than once the newest line counts.

    Raises:
        InputError: the folder's file cannot be read.
    """
    path = folder / FILE
    wanted = {case: case for case in cases}
    found: dict[Case, CaseResult] = {}
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as problem:
        raise InputError(f"{path}: expected results of an evaluation, but it cannot be read: {problem}") from problem
    for line in lines:
        record = _parsed(line)
        if record is not None and (case := _case(record["case"])) in wanted:
            found[case] = CaseResult(case, _rows(case, record["rows"]), record["seconds"], record["spans"])
    return found


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    sound = isinstance(record, dict) and record.get("code") == code_digest()
    return record if sound and {"case", "seconds", "spans", "rows"} <= record.keys() else None


def _case(record: dict[str, Any]) -> Case | None:
    known = {field.name for field in fields(Case)}
    if record.keys() != known:
        return None
    return Case(**(record | {"detectors": tuple(record["detectors"])}))


def _rows(case: Case, columns: dict[str, list[Any]]) -> pl.DataFrame:
    return of_case(case, pl.DataFrame(columns, schema={name: JUDGED[name] for name in _OWN_COLUMNS}))
