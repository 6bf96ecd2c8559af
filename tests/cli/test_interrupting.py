"""Ctrl-C and SIGTERM end a command soon, without a traceback and without leaving files behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE_S = 60.0


@pytest.mark.parametrize(
    ("how", "said", "traces", "code"),
    [(signal.SIGINT, "simulated, sent", 20_000, 130), (signal.SIGTERM, "Press Ctrl-C", 500, 0)],
    ids=["in the middle", "at the end"],
)
def test_a_demo_ends_when_it_is_told_to(tmp_path: Path, how: signal.Signals, said: str, traces: int, code: int) -> None:
    command = [sys.executable, "-m", "tracelith", "demo", "--no-browser", "--traces", str(traces), "--weeks", "4"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert demo.stdout is not None
        next(line for line in demo.stdout if said in line)

        demo.send_signal(how)
        _, complaints = demo.communicate(timeout=PATIENCE_S)
    finally:
        demo.kill()
        demo.communicate()

    assert demo.returncode == code
    assert "Traceback" not in complaints
    assert list(tmp_path.iterdir()) == []
