"""Reports to render."""

from collections.abc import Callable

import pytest

from document_parts import estimate
from documents import LOGIN_SERVICES, login_document
from tracelith.report.weekly import WeeklyReport, build_report
from weeks import NOW, WEEK, Archive, renamed


@pytest.fixture
def login_report() -> WeeklyReport:
    """The login system, in a week with something new, something gone and a number that moved."""
    before, after = login_document(), login_document()
    before["findings"] = before["findings"][:2]
    after["findings"] = after["findings"][1:]
    before["entry_operations"][0]["latency_ms"]["p50"] = estimate(30, 29, 31, 3100)
    return build_report(Archive({WEEK.previous: before, WEEK: after}), WEEK, now=NOW)


@pytest.fixture
def hostile_report() -> Callable[[str], WeeklyReport]:
    """A function that gives the same report with this name in place of every name that spans can carry."""
    names = [*LOGIN_SERVICES, "POST /login", "GET /profile", "DELETE /account", "production", "2026.1"]

    def report(name: str) -> WeeklyReport:
        before, after = login_document(), login_document()
        before["findings"] = before["findings"][:2]
        after["findings"] = after["findings"][1:]
        weeks = {WEEK.previous: renamed(before, names, name), WEEK: renamed(after, names, name)}
        return build_report(Archive(weeks), WEEK, now=NOW)

    return report
