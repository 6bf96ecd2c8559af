"""Fixtures every test may use."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-pings")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

LENGTHS = ("TRACELITH_KILL_ROUNDS", "TRACELITH_FUZZ_CASES", "TRACELITH_HOSTILE_SECONDS", "TRACELITH_MONTH_TRACES")


def pytest_collection_finish() -> None:
    """Forgets how long the long runs are, which is read by now: servers refuse settings they do not know."""
    for name in LENGTHS:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real-world inputs; a test that needs it is skipped, and says so, where it is absent."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI skips nothing, and the shared inputs are not at {SHARED_DATA}")
        pytest.skip(f"needs the shared real-world inputs at {SHARED_DATA}, which are not part of the project")
    return SHARED_DATA


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium that reaches nothing but loopback.

    For one module only: while Playwright runs, no other test of this process can run an event loop of its own.
    """
    chromium = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI skips nothing, and there is no Chromium: apt-get install chromium")
        pytest.skip("needs Chromium to look at the pages: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        browser.close()
