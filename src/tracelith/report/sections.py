"""What HTML and Markdown show of a report beyond its own fields: groups of changes, tables, and words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from tracelith.model.document import EntryOperationDocument, TailDocument
from tracelith.present import summaries, svg, text
from tracelith.present.chart import Table
from tracelith.present.section import Part
from tracelith.report.comparison import FindingChange, Movement, Standing
from tracelith.report.week import IsoWeek
from tracelith.report.weekly import WeeklyReport

__all__ = [
    "METHOD_NOTES",
    "STANDING_WORDS",
    "Drawn",
    "changes_by_standing",
    "depth_section",
    "movements_table",
    "standing_of",
    "tail_section",
    "timeline_section",
    "topic_sections",
    "week_in_words",
]

MOST_ENTRIES = 20
MOST_TAILS, MOST_HOPS = 8, 5
MOST_TIMELINES = 40
MOST_MOVEMENTS = 20
MOST_ROWS = 20
SINGLE_WEEK_LINES = 13
WEEK_NS = 7 * 86_400 * 10**9

STANDING_WORDS = {
    Standing.NEW: "New",
    Standing.FIRST_MEASURED: "Measured for the first time",
    Standing.PERSISTING: "Still there",
    Standing.GONE: "Gone",
    Standing.UNMEASURED: "No longer measurable",
}

METHOD_NOTES = (
    "Deployments, and services bound without a call between them, are about the 26 weeks that end with this one: a "
    "week has too few deployments to tell habit from chance. Everything else is about the week itself.",
    "A finding counts as gone only if this week's evidence could have shown it. Numbers are said to have moved only "
    "if their 95 % intervals in the two weeks do not touch.",
    "What could not be measured is no sign of health. Each number names its 95 % interval and what it rests on.",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table whose rows each have a drawing beside them.

    Attributes:
        title: caption, untrusted text. table: the numbers.
        heading: of the drawings' column. drawings: one per row.
    """

    title: str
    table: Table
    heading: str
    drawings: tuple[Markup, ...]


def week_in_words(report: WeeklyReport) -> str:
    """``16 to 22 November 2026``."""
    first, last = report.week.monday, datetime.fromordinal(report.week.end.toordinal() - 1)
    start = f"{first.day} {first:%B %Y}" if first.year != last.year else f"{first.day} {first:%B}"
    start = str(first.day) if (first.year, first.month) == (last.year, last.month) else start
    return f"{start} to {last.day} {last:%B %Y}"


def changes_by_standing(report: WeeklyReport) -> list[tuple[str, list[FindingChange]]]:
    """Changes under the words for their standing, in the order of Standing; none without a week to compare with."""
    if report.compared_with is None:
        return []
    grouped = ((standing, [c for c in report.changes if c.standing == standing]) for standing in Standing)
    return [(STANDING_WORDS[standing], changes) for standing, changes in grouped if changes]


def standing_of(report: WeeklyReport, finding_id: str) -> FindingChange | None:
    """How a finding of this week stands; None without a week to compare with."""
    if report.compared_with is None:
        return None
    return next((change for change in report.changes if change.finding["id"] == finding_id), None)


def movements_table(moved: Sequence[Movement]) -> Table:
    """Numbers that moved, before and after."""
    return Table.of(
        ("What", "Where", "#Before", "#Now", ""),
        (
            (
                movement.measure,
                movement.subject,
                summaries.compact_estimate(movement.before, movement.unit),
                summaries.compact_estimate(movement.after, movement.unit),
                "worse" if movement.worse else "better",
            )
            for movement in moved[:MOST_MOVEMENTS]
        ),
    )


def depth_section(report: WeeklyReport) -> Drawn:
    """The deepest entry operations with the distribution of their hops."""
    entries: Sequence[EntryOperationDocument] = summaries.worst_entries(report.document["entry_operations"])
    shown = entries[:MOST_ENTRIES]
    return Drawn(
        title=_listed("Entry operations, deepest first", len(shown), len(entries)),
        table=summaries.depth_table(shown),
        heading="Requests by hops, 0 and up",
        drawings=tuple(svg.hop_bars(entry["depth"]["histogram"], measured=entry["status"] == "ok") for entry in shown),
    )


def tail_section(report: WeeklyReport) -> list[Drawn]:
    """What makes slow requests slow, one table per entry operation."""
    return [
        Drawn(
            title=summaries.tail_caption(hops),
            table=summaries.tail_summary(hops),
            heading="Share, zero to all",
            drawings=tuple(_share_bars(hops)),
        )
        for hops in summaries.tail_groups(report.document["tail"], MOST_TAILS, MOST_HOPS)
    ]


def topic_sections(report: WeeklyReport) -> list[tuple[str, str, list[tuple[Part, Table | None]]]]:
    """Title, lead and headline parts with their first rows, of the topics that have more to show than an answer."""
    return [
        (kind.title, section.lead, [(part, _first_rows(part.table)) for part in section.headlines()])
        for kind, section in report.topics
        if section.headlines()
    ]


def _first_rows(table: Table | None) -> Table | None:
    return table.first(MOST_ROWS).with_examples() if table is not None and table.rows else None


def timeline_section(report: WeeklyReport) -> Drawn:
    """When each service deployed, members of coupled groups first."""
    codeployment = report.document["codeployment"]
    coupled = {name: place for place, group in enumerate(codeployment["groups"]) for name in group["services"]}
    rows = sorted(
        codeployment["services"],
        key=lambda row: (coupled.get(row["service"], len(coupled)), -row["deployments"], row["service"]),
    )
    shown = rows[:MOST_TIMELINES]
    moments, first = _moments(report, [row["service"] for row in shown])
    weeks = (report.week.end_ns - first.start_ns) // WEEK_NS
    step = 1 if weeks <= SINGLE_WEEK_LINES else 2
    grid = [week / weeks for week in range(0, weeks + 1, step)]
    return Drawn(
        title=_listed("Deployments, services that deploy together first", len(shown), len(rows)),
        table=Table.of(
            ("Service", "#Deployments", "#Alone", "#Last"),
            (
                (
                    text.printable(row["service"]),
                    text.count(row["deployments"]),
                    summaries.compact_estimate(row["solo_rate"], "share"),
                    text.time(row["last_at"]).removesuffix(" UTC"),
                )
                for row in shown
            ),
        ),
        heading=f"{first.monday} to {report.week.end.date()}, a line every {'week' if step == 1 else 'two weeks'}",
        drawings=tuple(
            svg.tick_strip(moments[row["service"]], grid, "together" if row["service"] in coupled else "tick")
            for row in shown
        ),
    )


def _share_bars(hops: Sequence[TailDocument]) -> Iterator[Markup]:
    axis = svg.axis_of([(hop["share"] or 0.0, hop["ci"]) for hop in hops], least=1.0)
    return (svg.interval_bar(hop["share"] or 0.0, hop["ci"], axis) for hop in hops)


def _moments(report: WeeklyReport, services: Sequence[str]) -> tuple[dict[str, list[float]], IsoWeek]:
    """Deployments of these services as shares of the drawn period, and its first week: that of the first of them."""
    timeline = [
        (row["service"], datetime.fromisoformat(row["at"]).astimezone(UTC))
        for row in report.document["codeployment"]["deployments"]
    ]
    earliest = min((IsoWeek.of(at) for _, at in timeline), default=report.week)
    first = min(max(earliest, report.deployments_since), report.week)
    length = report.week.end_ns - first.start_ns
    moments: dict[str, list[float]] = {service: [] for service in services}
    for service, at in timeline:
        place = (int(at.timestamp()) * 10**9 - first.start_ns) / length
        if service in moments and 0 <= place < 1:
            moments[service].append(place)
    return moments, first


def _listed(title: str, shown: int, all_of_them: int) -> str:
    return title if shown == all_of_them else f"{title}; {shown} of {text.count(all_of_them)}"
