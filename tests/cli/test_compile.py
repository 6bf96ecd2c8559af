"""Compiling ahead: what analyses run is ready before somebody waits for it."""

import os
import subprocess
import sys
from pathlib import Path

from tracelith.cli import run


def test_compiling_needs_nothing_and_says_nothing(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["compile"]) == 0

    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


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
