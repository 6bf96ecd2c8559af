"""The weekly report: a week's document, what changed against the week before, and a headline. Renderers add nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tracelith.model.document import AnalysisDocument
from tracelith.model.errors import InputError
from tracelith.present import summaries
from tracelith.present.answers import Answer, answers
from tracelith.present.section import Section, SectionKind
from tracelith.present.sections import described
from tracelith.report.comparison import FindingChange, Movement, Standing, compare_findings, movements
from tracelith.report.composite import DEPLOYMENT_WEEKS, Documents, document_of_week
from tracelith.report.week import IsoWeek

__all__ = ["WeeklyReport", "build_report"]


@dataclass(frozen=True, slots=True)
class WeeklyReport:
    """All a renderer needs.

    Attributes:
        week: the ISO week it is about.
        deployments_since: the Monday on which the period of the deployment analysis begins.
        compared_with: the week before, None if it has no data.
        partial: the week was not over when the report was built.
        headline: one sentence.
        document: analysis document of the week, see document_of_week.
        answers: to the three headline questions, then that of every topic.
        topics: what each topic has to show beyond its answer.
        changes: findings of this week, worst first, then those of the week before that are not repeated.
            Without a week to compare with, every finding is FIRST_MEASURED.
        moved: numbers that moved beyond doubt.
        generated_at: when.
    """

    week: IsoWeek
    deployments_since: IsoWeek
    compared_with: IsoWeek | None
    partial: bool
    headline: str
    document: AnalysisDocument
    answers: tuple[Answer, ...]
    topics: tuple[tuple[SectionKind, Section], ...]
    changes: tuple[FindingChange, ...]
    moved: tuple[Movement, ...]
    generated_at: datetime


def build_report(
    documents: Documents, week: IsoWeek, *, environment: str | None = None, now: datetime | None = None
) -> WeeklyReport:
    """The report of a week.

    Args:
        documents: where analysis documents come from; asked for this week, the one before, and 26 weeks up to each.
        week: to report on.
        environment: None for the one with most spans.
        now: the clock, for tests.

    Raises:
        InputError: the week has not begun.
    """
    now = now or datetime.now(UTC)
    if week > IsoWeek.of(now.astimezone(UTC)):
        raise InputError(f"week {week} has not begun; the last full week is {IsoWeek.last_full(now)}")
    document = document_of_week(documents, week, environment)
    before = document_of_week(documents, week.previous, document["environment"])
    comparable = bool(before["quality"]["traces"] or before["codeployment"]["services"])
    if comparable:
        changes = compare_findings(before, document)
    else:
        changes = tuple(FindingChange(finding, Standing.FIRST_MEASURED) for finding in document["findings"])
    compared_with = week.previous if comparable else None
    topics = tuple(described(document))
    partial = now < week.end
    return WeeklyReport(
        week=week,
        deployments_since=week.back(DEPLOYMENT_WEEKS - 1),
        compared_with=compared_with,
        partial=partial,
        headline=_headline(week, document, changes, compared_with, partial=partial),
        document=document,
        answers=(*answers(document), *(section.answer for _, section in topics)),
        topics=topics,
        changes=changes,
        moved=movements(before, document) if comparable else (),
        generated_at=now,
    )


def _headline(
    week: IsoWeek,
    document: AnalysisDocument,
    changes: Sequence[FindingChange],
    compared_with: IsoWeek | None,
    *,
    partial: bool,
) -> str:
    unfinished = f" The week is not over: this covers {week} so far." if partial else ""
    if not document["quality"]["traces"] and not document["findings"]:
        return f"No traces arrived in {week}; nothing can be said about it.{unfinished}"
    found = summaries.findings_count(document["findings"])
    if not document["findings"]:
        found += " in what could be measured"
    counted = Counter(change.standing for change in changes)
    words = {
        Standing.NEW: "new",
        Standing.FIRST_MEASURED: "measured for the first time",
        Standing.PERSISTING: "known before",
        Standing.GONE: "gone",
        Standing.UNMEASURED: "no longer measurable",
    }
    since = ""
    if compared_with is not None and changes:
        parts = ", ".join(f"{counted[standing]} {word}" for standing, word in words.items() if counted[standing])
        since = f"; against {compared_with}: {parts}"
    return f"{found}{since}.{unfinished}"
