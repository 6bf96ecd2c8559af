"""The composed server: what arrives is analysed and shown, and what was started is stopped."""

import json
import random
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import httpx
import pytest

from otlp import EXPORT, export_request, span
from serving import application
from tracelith.app import server_note
from tracelith.model.errors import ConfigurationError, StoreError
from tracelith.store import Store

PATIENCE_S = 30.0


def test_spans_are_analysed_once_their_window_is_quiet(tmp_path: Path) -> None:
    with (
        application(tmp_path, quiet_s=0.0, analyse_every_s=0.2) as app,
        grpc.insecure_channel(app.grpc_address) as channel,
    ):
        channel.unary_unary(EXPORT)(export_request([span(trace=1, id=1), span(trace=2, id=2)]), timeout=10)

        deadline = time.monotonic() + PATIENCE_S
        traces = 0
        while traces < 2 and time.monotonic() < deadline:
            period = app.store.period()
            traces = app.engine.conclude(None, *period)["quality"]["traces"] if period else 0
            time.sleep(0.1)

    assert traces == 2


def test_the_dashboard_answers_on_its_address(tmp_path: Path) -> None:
    with application(tmp_path) as app:
        page = httpx.get(f"http://{app.web_address}/")
        ready = httpx.get(f"http://{app.web_address}/readyz")

    assert page.status_code == ready.status_code == 200
    assert app.grpc_address in page.text, "an empty dashboard says where to send spans"


def test_a_server_whose_database_serves_nothing_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with application(tmp_path) as app:
        monkeypatch.setattr(Store, "failed", property(lambda _: StoreError("the disk is full")))

        ready = httpx.get(f"http://{app.web_address}/readyz")

        monkeypatch.undo()
    assert ready.status_code == 503


def test_refused_spans_show_in_data_quality_with_the_reason(tmp_path: Path) -> None:
    good, bad = span(trace=1, id=1), span(trace=0, id=2)
    with application(tmp_path) as app, grpc.insecure_channel(app.grpc_address) as channel:
        channel.unary_unary(EXPORT)(export_request([good, bad]), timeout=10)
        app.engine.analyse_stale()
        quality = app.engine.conclude(None, *(app.store.period() or (0, 0)))["quality"]
        page = httpx.get(f"http://{app.web_address}/quality").text

    assert (quality["spans"], quality["refused_spans"]) == (1, 1)
    assert "trace_id" in quality["refusals"][0]["reason"]
    assert quality["refusals"][0]["reason"] in page


def test_a_note_beside_the_file_names_the_running_server_and_goes_with_it(tmp_path: Path) -> None:
    with application(tmp_path) as app:
        note = json.loads(server_note(app.settings.db).read_text())

        assert note["web"] == app.web_address
        assert note["http"] == app.http_address

    assert not server_note(app.settings.db).exists()


def test_a_server_whose_disk_is_full_ends_and_leaves_what_was_committed_to_the_next(tmp_path: Path) -> None:
    random_ids = random.Random(1)
    spans = [span(trace=random_ids.getrandbits(120), id=random_ids.getrandbits(60)) for _ in range(5_000)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    with application(tmp_path) as app:
        with grpc.insecure_channel(app.grpc_address) as channel:
            channel.unary_unary(EXPORT)(export_request(spans), timeout=30)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, limits[1]))  # as a full disk: no file may grow
        try:
            with pytest.raises(StoreError) as failure:
                app.store.checkpoint()
            with pytest.raises(StoreError) as ended:
                app.wait(threading.Event())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert str(ended.value) == str(failure.value)
    assert str(app.settings.db) in str(ended.value)
    with application(tmp_path) as again:
        assert again.store.size().spans == len(spans)


def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    # DuckDB shares a file within a process; another process is what must be kept out.
    with application(tmp_path) as app:
        command = [sys.executable, "-m", "tracelith", "serve", "--db", str(app.settings.db), "--grpc", "127.0.0.1:0"]
        second = subprocess.run(
            [*command, "--http", "127.0.0.1:0", "--web", "127.0.0.1:0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert second.returncode == 2
    assert str(app.settings.db) in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_address_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before = set(threading.enumerate())
    with application(tmp_path / "a") as first:
        with pytest.raises(ConfigurationError, match="--web"), application(tmp_path / "b", web=first.web_address):
            pass

        with application(tmp_path / "b"):
            pass  # the file of the failed start is free again

    deadline = time.monotonic() + PATIENCE_S
    while (
        left := {thread for thread in threading.enumerate() if not thread.daemon} - before
    ) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left
