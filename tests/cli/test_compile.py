"""Compiling ahead: what analyses run is ready before somebody waits for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracelith.cli import run


def test_compiling_needs_nothing_and_says_nothing(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["compile"]) == 0

    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


LOOPS = """
import numpy as np
from tracelith.compiled import compiled


@compiled
def total(values):
    added = values[0] * 0
    for value in values:
        added += value
    return added


print(total(np.array([1, 2])), total(np.array([1.5, 2.0])))
"""


def told_by_loops(folder: Path) -> str:
    (folder / "loops.py").write_text(LOOPS)
    command = [sys.executable, str(folder / "loops.py")]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "kept")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def kept_files(folder: Path, pattern: str) -> list[Path]:
    return sorted((folder / "kept").rglob(pattern))


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
def test_what_was_kept_and_cut_short_is_compiled_again(tmp_path: Path, pattern: str) -> None:
    told_by_loops(tmp_path)
    for file in kept_files(tmp_path, pattern):
        file.write_bytes(file.read_bytes()[:100])

    assert told_by_loops(tmp_path) == "3 3.5\n"
    assert all(file.stat().st_size > 100 for file in kept_files(tmp_path, pattern))


def test_code_kept_for_other_types_is_not_run(tmp_path: Path) -> None:
    told_by_loops(tmp_path)
    one, other = kept_files(tmp_path, "*.nbc")
    whole, real = one.read_bytes(), other.read_bytes()
    one.write_bytes(real)
    other.write_bytes(whole)

    assert told_by_loops(tmp_path) == "3 3.5\n"


def test_where_nothing_can_be_kept_loops_are_compiled_for_the_process_alone(tmp_path: Path) -> None:
    (tmp_path / "loops.py").write_text(
        "from tracelith.compiled import compiled\n\n\n"
        "@compiled\ndef double(number):\n    return 2 * number\n\n\nprint(double(21))\n"
    )
    (tmp_path / "__pycache__").write_text("a file, so that no folder of this name can be made")
    nowhere = {name: str(tmp_path / "__pycache__" / "cache") for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}

    told = subprocess.run(
        [sys.executable, str(tmp_path / "loops.py")],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "42\n"
