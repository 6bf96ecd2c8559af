"""A disk that is full under load: senders are told to come back, and nothing acknowledged is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).with_name("full_disk_check.py")
SMALL_DISK = 'mount -t tmpfs -o size=9m tmpfs "$0" && exec "$@"'


def outcome(folder: Path, how: str) -> dict[str, object]:
    command = [sys.executable, str(CHECK), str(folder), how]
    if how == "mounted":
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, str(folder), *command]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def ways() -> list[str]:
    """A real small disk where the system lets us mount one, and everywhere a limit to the size of files."""
    mount = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        mountable = subprocess.run(mount, capture_output=True, timeout=10, check=False).returncode == 0
    except OSError:
        mountable = False
    return ["limited", "mounted"] if mountable else ["limited"]


@pytest.mark.parametrize("how", ways())
def test_a_full_disk_refuses_for_a_while_says_why_and_loses_nothing(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()

    seen = outcome(folder, how)

    assert seen["filled"], seen
    assert seen["acknowledged_before"], seen
    assert list(seen["refused"]) == ["UNAVAILABLE"], seen
    assert "the disk is full" in seen["said"], seen
    assert seen["recovered"], seen
    assert seen["alive"], seen
    assert seen["lost"] == 0, seen
