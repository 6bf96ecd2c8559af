"""Reports as files: whole or not at all."""

import os
import threading
from pathlib import Path

import pytest

from tracelith.model.errors import InputError
from tracelith.report.delivery import deliver, is_delivered, write_atomically
from tracelith.report.weekly import WeeklyReport
from weeks import WEEK


def test_a_report_is_delivered_in_three_formats(login_report: WeeklyReport, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"

    files = deliver(login_report, folder)

    names = ["tracelith-2026-W09.html", "tracelith-2026-W09.json", "tracelith-2026-W09.md"]
    assert sorted(file.name for file in files) == names
    assert sorted(file.name for file in folder.iterdir()) == names
    assert is_delivered(folder, WEEK)
    assert not is_delivered(folder, WEEK.previous)


def test_delivering_again_replaces_the_report(login_report: WeeklyReport, tmp_path: Path) -> None:
    (tmp_path / "tracelith-2026-W09.html").write_text("old")

    deliver(login_report, tmp_path)

    assert (tmp_path / "tracelith-2026-W09.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_is_written_last_so_that_it_vouches_for_the_others(login_report: WeeklyReport, tmp_path: Path) -> None:
    (tmp_path / "tracelith-2026-W09.md").mkdir()

    with pytest.raises(InputError, match=r"tracelith-2026-W09\.md"):
        deliver(login_report, tmp_path)

    assert not is_delivered(tmp_path, WEEK)


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    contents = {letter * 200_000 for letter in "ab"}
    write_atomically(file, "a" * 200_000)
    done = threading.Event()

    def rewrite() -> None:
        for number in range(40):
            write_atomically(file, "ab"[number % 2] * 200_000)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    seen = {file.read_text()}
    while not done.is_set():
        seen.add(file.read_text())
    writer.join(10)

    assert seen <= contents
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.skipif(os.name != "posix", reason="the full device of Linux")
def test_a_failed_write_keeps_the_old_report_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_atomically(file, "old")
    unfinished = tmp_path / f".report.html.{os.getpid()}"
    unfinished.symlink_to("/dev/full")

    with pytest.raises(InputError, match=r"report\.html: No space left on device"):
        write_atomically(file, "new" * 10_000)

    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_cannot_be_one_says_so(login_report: WeeklyReport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"the report cannot be written to .*Not a directory"):
        deliver(login_report, tmp_path / "file" / "reports")
