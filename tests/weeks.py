"""Analysis documents week by week, for tests of reports."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from documents import empty_document
from tracelith.model.document import AnalysisDocument
from tracelith.report.week import IsoWeek

__all__ = ["NOW", "WEEK", "Archive", "renamed"]

WEEK = IsoWeek(2026, 9)
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""The Monday after WEEK."""


@dataclass
class Archive:
    """Answers like the engine: the document of the week that the period ends with; nothing known without one."""

    weeks: dict[IsoWeek, AnalysisDocument]
    asked: list[tuple[str | None, int, int]] = field(default_factory=list)

    def __call__(self, environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        self.asked.append((environment, start_ns, end_ns))
        week = IsoWeek.of(datetime.fromtimestamp(end_ns / 1e9, UTC)).previous
        return deepcopy(self.weeks.get(week, empty_document()))


def renamed(value: Any, names: Iterable[str], hostile: str) -> Any:
    """The same JSON value in which every text has ``hostile`` instead of these names."""
    if isinstance(value, str):
        for name in names:
            value = value.replace(name, hostile)
        return value
    if isinstance(value, dict):
        return {key: renamed(inner, names, hostile) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, names, hostile) for inner in value]
    return value
