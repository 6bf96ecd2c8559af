"""Whose data services use: tables that several of them read or write, joins across owners, waits for one table."""

from collections.abc import Sequence

from tracelith.analysis.names import listed
from tracelith.model.document import (
    AnalysisDocument,
    ContentionDocument,
    DataPairDocument,
    DatastoreDocument,
    DatastoresDocument,
    JoinDocument,
    TableDocument,
)
from tracelith.present import text
from tracelith.present.answers import Answer, Tone, topic_of
from tracelith.present.chart import Table
from tracelith.present.data_figures import shared_table_map, table_name
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION"]

_QUESTION = "Who uses whose data?"
_MOST_ROWS = 100
_LEAST_OVERLAP = 0.005  # thinner ones read as 0
_OWNED = {
    "declared": "declared",
    "writes": "writes most",
    "migrations": "alters it",
    "name": "by its name",
    "reads": "reads most",
    "unknown": "not known",
}
_MEANT = {
    "none": "one service alone",
    "server": "only the server",
    "namespace": "the database, but no table",
    "read": "tables are read by others",
    "write": "tables are written by others",
}


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    data = document["datastores"]
    shared = [row for row in data["tables"] if row["level"] != "own"]
    parts = [
        _shared_part(shared),
        _map_part(shared, period),
        _waiting_part(data["contentions"]),
        _join_part(data["joins"]),
        _pair_part(data["pairs"]),
        _store_part(data["stores"]),
        _own_part([row for row in data["tables"] if row["level"] == "own"]),
    ]
    lead = (
        "A service owns its data if nobody else reads or writes its tables: only then can it change and deploy them on "
        "its own. To share a server, or a database without a common table, binds nobody's schema and is not counted."
    )
    return Section(_answer(document), lead, tuple(part for part in parts if part is not None))


def _answer(document: AnalysisDocument) -> Answer:
    data = document["datastores"]
    tone: Tone = "notable" if _is_accused(document) else "fine"
    shared = [row for row in data["tables"] if row["level"] != "own"]
    written = [row for row in shared if row["level"] == "written"]
    judged = f"{_counted(len(data['tables']), 'table')} in {_counted(data['calls'], 'call')} to databases"
    reading = f"Out of {judged}. {_without_table(data)}".strip()
    if written:
        worst = written[0]
        claim = (
            f"{_counted(len(shared), 'table')} {'is' if len(shared) == 1 else 'are'} shared; {_few(_others(worst))} "
            f"{'writes' if len(_others(worst)) == 1 else 'write'} to {table_name(worst, 60)}"
            f"{_of_owner(worst)}."
        )
        number = text.estimate(worst["foreign_write_share"], "share")
        return Answer("data", _QUESTION, claim, number, f"Share of its writes that are foreign. {reading}", tone)
    if shared:
        claim = (
            f"{_counted(len(shared), 'table')} {'is' if len(shared) == 1 else 'are'} read by services beside the owner."
        )
        worst = max(shared, key=lambda row: (row["foreign_read_share"]["value"] or 0.0, row["table"]))
        number = text.estimate(worst["foreign_read_share"], "share")
        told = f"Share of the reads of {table_name(worst, 60)} that are foreign, the largest of them. {reading}"
        return Answer("data", _QUESTION, claim, number, told, tone)
    if data["status"] != "ok":
        return Answer.unknown("data", _QUESTION, data["reason"])
    return Answer("data", _QUESTION, "No table is used by several services.", "", reading, tone)


def _is_accused(document: AnalysisDocument) -> bool:
    return any(topic_of(one["rule"]) == "data" and one["severity"] != "info" for one in document["findings"])


def _without_table(data: DatastoresDocument) -> str:
    missing = data["calls_without_table"]
    return f"{text.count(missing)} of them do not say which table they touch." if missing else ""


def _shared_part(shared: Sequence[TableDocument]) -> Part | None:
    if not shared:
        return None
    rows = shared[:_MOST_ROWS]
    table = Table.of(
        ("Table", "Owner", "Known by", "Others", "What they do", "#Foreign writes", "#Foreign reads"),
        (
            (
                table_name(row),
                text.printable(row["owner"]) if row["owner"] else text.MISSING,
                _OWNED[row["owner_by"]],
                _few(_others(row), 4),
                "write" if row["level"] == "written" else "read",
                text.estimate(row["foreign_write_share"], "share"),
                text.estimate(row["foreign_read_share"], "share"),
            )
            for row in rows
        ),
        (row["trace_ids"] for row in rows),
    )
    return Part(
        "Tables that several services use",
        _vague(rows),
        table,
        reading="Shares with 95 % intervals. Foreign writes below 1 % are fine, above 10 % strong; where nobody wrote "
        "in the period there is no share. Use that was seen once or twice, as of a migration, does not count.",
        headline=True,
    )


def _map_part(shared: Sequence[TableDocument], period: str) -> Part | None:
    if not shared:
        return None
    return Part("Where services meet", chart=shared_table_map(shared, period))


def _waiting_part(contentions: Sequence[ContentionDocument]) -> Part | None:
    if not contentions:
        return None
    rows = contentions[:_MOST_ROWS]
    table = Table.of(
        ("When", "Table", "Who waited", "Why", "#Seconds", "#Calls", "#Failed", "#Took", "#Usually"),
        (
            (
                text.time(row["start"], seconds=True),
                text.printable(row["table"]),
                _few(row["services"], 4),
                _why(row),
                text.number(row["seconds"]),
                text.count(row["calls"]),
                text.count(row["failures"]),
                text.milliseconds(row["slow_ms"]),
                text.milliseconds(row["usual_ms"]),
            )
            for row in rows
        ),
        (row["trace_ids"] for row in rows),
    )
    return Part(
        "When services waited for one table",
        "Most calls to the table waited, while other tables of the same server answered as ever.",
        table,
        reading="One statement that locks a table stops every service that shares it.",
        headline=True,
    )


def _why(row: ContentionDocument) -> str:
    if row["cause"] == "unknown":
        return "not known"
    who = text.printable(row["cause_service"] or "")
    detail = text.printable(row["cause_detail"], 60)
    return f"{who} ran {detail}" if row["cause"] == "migration" else f"{who} {detail} was deployed just before"


def _join_part(joins: Sequence[JoinDocument]) -> Part | None:
    if not joins:
        return None
    rows = joins[:_MOST_ROWS]
    table = Table.of(
        ("Service", "Tables", "Owners", "#Statements"),
        (
            (
                text.printable(row["service"]),
                ", ".join(text.printable(name) for name in row["tables"]),
                ", ".join(text.printable(owner) if owner else text.MISSING for owner in row["owners"]),
                text.count(row["calls"]),
            )
            for row in rows
        ),
        (row["trace_ids"] for row in rows),
    )
    return Part(
        "Statements across the tables of several owners",
        table=table,
        reading="As long as there is such a statement, these tables have to stay in one database.",
        headline=True,
    )


def _pair_part(pairs: Sequence[DataPairDocument]) -> Part | None:
    rows = [row for row in pairs if (row["overlap"]["value"] or 0.0) >= _LEAST_OVERLAP][:_MOST_ROWS]
    if not rows:
        return None
    table = Table.of(
        ("Service", "Service", "Common tables", "#Overlap"),
        (
            (
                text.printable(row["a"]),
                text.printable(row["b"]),
                _few(row["tables"], 3),
                text.estimate(row["overlap"]),
            )
            for row in rows
        ),
    )
    return Part(
        "Services bound by common tables",
        "How much of what two services do to tables that one of them writes falls on the same ones.",
        table,
        reading="0: nothing in common. 1: both do the same to the same tables, so they are one service by their data.",
    )


def _store_part(stores: Sequence[DatastoreDocument]) -> Part | None:
    if not stores:
        return None
    rows = stores[:_MOST_ROWS]
    table = Table.of(
        ("System", "Server", "Database", "Used by", "#Tables", "#Calls", "Shared", "Identity"),
        (
            (
                text.printable(row["system"]),
                text.printable(row["server"]) or text.MISSING,
                text.printable(row["namespace"]) or text.MISSING,
                _few(row["services"], 3),
                text.count(row["tables"]),
                text.count(row["calls"]),
                _MEANT[row["sharing"]] if row["kind"] == "database" else f"a {row['kind']}: not judged",
                f"{row['confidence']}: {text.printable(row['remark'])}" if row["remark"] else row["confidence"],
            )
            for row in rows
        ),
    )
    return Part(
        "Databases, caches and search engines",
        table=table,
        reading="Identity says how surely all calls with one name reach one database. Where it is low, aliases and "
        "rewrites in the declarations help; findings that rest on it are told as worth knowing only.",
    )


def _own_part(own: Sequence[TableDocument]) -> Part | None:
    if not own:
        return None
    rows = own[:_MOST_ROWS]
    left = f" The busiest {len(rows)} of {len(own)}." if len(rows) < len(own) else ""
    table = Table.of(
        ("Table", "Server", "Used by", "#Reads", "#Writes"),
        (
            (
                table_name(row),
                text.printable(row["server"]) or text.MISSING,
                _few([use["service"] for use in row["users"]], 3),
                text.count(sum(use["reads"] for use in row["users"])),
                text.count(sum(use["writes"] for use in row["users"])),
            )
            for row in rows
        ),
    )
    return Part("Tables of one service alone", f"Nobody else regularly uses them.{left}", table)


def _others(row: TableDocument) -> list[str]:
    """Regular users beside the owner; of a table that others write, those that write."""
    others = [use for use in row["users"] if use["regular"] and use["service"] != row["owner"]]
    writing = [use["service"] for use in others if use["writes"]]
    return writing if row["level"] == "written" and writing else [use["service"] for use in others]


def _of_owner(row: TableDocument) -> str:
    return f", which is {text.printable(row['owner'])}'s" if row["owner"] else ""


def _vague(rows: Sequence[TableDocument]) -> str:
    vague = sum(row["confidence"] == "low" for row in rows)
    if not vague:
        return ""
    return f"Of {_counted(vague, 'table')} it is not sure that all services mean the same one: see the databases below."


def _few(names: Sequence[str], most: int = 3) -> str:
    return listed([text.printable(name, 60) for name in names], most)


def _counted(count: int, noun: str) -> str:
    return f"{text.count(count)} {noun}{'' if count == 1 else 's'}"


SECTION = SectionKind("data", "Data", "datastores", describe)
