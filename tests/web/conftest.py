"""A served dashboard."""

from collections.abc import Iterator
from dataclasses import fields

import httpx
import pytest

from document_parts import TRACE_IDS
from documents import login_document
from website import Site, login_trace, serve


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
