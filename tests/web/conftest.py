"""A served dashboard, and a real browser to look at it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from document_parts import TRACE_IDS
from documents import login_document
from website import Site, login_trace, serve

CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-pings")


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Site, httpx.Client]]:
    """One server for all tests; starting one takes longer than most of them."""
    site = Site(login_document())
    with serve(site.app()) as address, httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        yield site, client


@pytest.fixture
def site(served: tuple[Site, httpx.Client]) -> Site:
    """The login system as new, with one trace still kept."""
    site, _ = served
    fresh = Site(login_document(), views={int(TRACE_IDS[0], 16): login_trace()})
    for member in fields(Site):
        setattr(site, member.name, getattr(fresh, member.name))
    return site


@pytest.fixture
def client(site: Site, served: tuple[Site, httpx.Client]) -> httpx.Client:  # noqa: ARG001 - resets the site first
    """Requests to that site over real HTTP."""
    return served[1]


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium that reaches nothing but loopback."""
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
