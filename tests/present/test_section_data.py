"""What people read about data: who shares which table, who waited, and what is not known."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from analysis.data_worlds import DAYS, asks, data_document, system
from documents import empty_document
from tracelith.present.section import Part, Section
from tracelith.present.sections.data import SECTION

SHARED = system(
    *[asks("order", "UPDATE orders")] * 3,
    asks("billing", "UPDATE orders"),
    asks("report", "SELECT orders invoices"),
    asks("billing", "UPDATE invoices"),
    asks("mail", "INSERT mails"),
)


def section_of(document: dict[str, Any]) -> Section:
    return SECTION.describe({**empty_document(), **document}, "seven days")  # type: ignore[typeddict-item]  # a test's


def rows(section: Section, heading: str) -> list[dict[str, str]]:
    part = part_of(section, heading)
    table = part.table or (part.chart.twin if part.chart else None)
    assert table is not None
    return [dict(zip((column.title for column in table.columns), row, strict=True)) for row in table.rows]


def part_of(section: Section, heading: str) -> Part:
    return next(part for part in section.parts if part.heading == heading)


@pytest.fixture(scope="module")
def shared() -> Section:
    return section_of(data_document((SHARED, DAYS)))


def test_the_worst_foreign_write_is_the_answer(shared: Section) -> None:
    assert shared.answer.question == "Who uses whose data?"
    assert shared.answer.claim == "2 tables are shared; billing writes to shop.public.orders, which is order's."
    assert shared.answer.number.startswith("25 % (95 %: ")
    assert shared.answer.tone == "notable"


def test_shared_tables_come_with_owner_users_shares_and_traces(shared: Section) -> None:
    first, second = rows(shared, "Tables that several services use")

    assert (first["Table"], first["Owner"], first["Known by"]) == ("shop.public.orders", "order", "by its name")
    assert (first["Others"], first["What they do"]) == ("billing", "write")
    assert first["Foreign writes"].startswith("25 %")
    assert (second["Owner"], second["Others"], second["What they do"]) == ("billing", "report", "read")
    table = part_of(shared, "Tables that several services use").table
    assert table is not None
    assert all(table.traces)


def test_the_chart_shows_every_user_of_shared_tables_and_its_table_says_the_same(shared: Section) -> None:
    chart = part_of(shared, "Where services meet").chart

    assert chart is not None
    go.Figure(chart.figure)
    json.dumps(chart.figure, allow_nan=False)
    marks = sum(len(trace["x"]) for trace in chart.figure["data"])
    roles = {(row["Table"], row["Service"]): row["Role"] for row in rows(shared, "Where services meet")}
    assert marks == len(roles) == 5
    assert roles["shop.public.orders", "order"] == "its own"
    assert roles["shop.public.orders", "billing"] == "writes"
    assert roles["shop.public.orders", "report"] == "joins"


def test_joins_name_tables_and_their_owners(shared: Section) -> None:
    (join,) = rows(shared, "Statements across the tables of several owners")

    assert join["Tables"] == "shop.public.orders, shop.public.invoices"
    assert join["Owners"] == "order, billing"


def test_databases_and_tables_of_one_service_are_listed_last(shared: Section) -> None:
    (store,) = rows(shared, "Databases, caches and search engines")
    (own,) = rows(shared, "Tables of one service alone")

    assert (store["Server"], store["Shared"], store["Identity"]) == (
        "shop-db:5432",
        "tables are written by others",
        "high",
    )
    assert (own["Table"], own["Used by"]) == ("shop.public.mails", "mail")


def test_who_waited_for_a_table_is_told_with_the_cause() -> None:
    usual = system(asks("user", "UPDATE users"), asks("auth", "SELECT users"))
    database = "db=postgresql namespace=shop.public peer=shop-db:5432"
    migration = f"user INTERNAL migrate 0..80s\n  user CLIENT a 0..80s {database} statement=ALTER+TABLE+users\n"
    waits = system(
        *(
            f"{name} SERVER GET /{name} {at}..80s\n  {name} CLIENT q {at}..80s {database} statement=SELECT+users\n"
            for at in range(1, 50, 7)
            for name in ("user", "auth")
        )
    )
    section = section_of(data_document((usual, DAYS), (migration, [30]), (waits, [30]), copies=1))

    (row,) = rows(section, "When services waited for one table")
    assert (row["Table"], row["Who waited"], row["Why"]) == ("users", "auth and user", "user ran ALTER TABLE users")
    assert (row["Seconds"], row["Usually"]) == ("79", "4 ms")


def test_data_of_ones_own_is_told_as_such() -> None:
    section = section_of(data_document((asks("mail", "INSERT mails"), DAYS), copies=20))

    assert section.answer.claim == "No table is used by several services."
    assert section.answer.tone == "fine"
    assert [part.heading for part in section.parts] == [
        "Databases, caches and search engines",
        "Tables of one service alone",
    ]


def test_missing_evidence_is_said_and_never_read_as_healthy() -> None:
    section = section_of({})

    assert (section.answer.claim, section.answer.tone) == ("Not known yet.", "unknown")
    assert section.parts == ()


def test_names_from_spans_cannot_pose_as_anything_else() -> None:
    hostile = data_document((system(asks("a\u202e", "UPDATE t"), asks("b<script>", "UPDATE t")), DAYS))
    section = section_of(hostile)

    told = repr(section)
    assert "\u202e" not in told
    assert "\\u202e" not in told
