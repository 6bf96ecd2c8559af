"""Query texts of a batch: parsed once, within a budget, forgotten."""

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.otlp_requests import make_request, make_span
from tracelith.ingest import query_texts
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import describe
from tracelith.ingest.intern import Interner
from tracelith.ingest.limits import STATEMENTS
from tracelith.ingest.query_texts import (
    MAX_BATCH_CHARS,
    MAX_SAVED_CHARS,
    MAX_STATEMENT_CHARS,
    MAX_TEXT_CHARS,
    ParseBudget,
    QueryTexts,
    without_values,
)
from tracelith.model.schema import OPERATION, OPERATION_TEXT, OTHER, RESOURCE, Kind

STATEMENT = OPERATION_TEXT.names().index("peer_statement")


@pytest.fixture(autouse=True)
def texts(monkeypatch: pytest.MonkeyPatch) -> QueryTexts:
    """Nothing is known at the begin of a test, and no time passes during it."""
    fresh = QueryTexts(ParseBudget(clock=lambda: 0.0))
    monkeypatch.setattr("tracelith.ingest.describe._QUERY_TEXTS", fresh)
    return fresh


def _query(text: str, system: str = "postgresql", key: str = "db.query.text") -> Span:
    return make_span({"db.system.name": system, key: text}, name="query", kind=Kind.CLIENT)


def _select(*tables: str) -> str:
    return " ".join(("SELECT * FROM", ", ".join(tables)))


def _statements(*spans: Span) -> list[str]:
    described = describe(decode_requests([make_request(*spans)]).raw)
    return [str(described.operations[row][STATEMENT]) for row in described.spans["operation_row"]]


def _parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that reach the parser from now on."""
    seen: list[str] = []

    def parse(text: str, _dialect: str) -> str:
        seen.append(text)
        return "SELECT seen"

    monkeypatch.setattr("tracelith.ingest.sql_texts.parse_statement", parse)
    return seen


@pytest.mark.parametrize("key", ["db.query.text", "db.statement"])
def test_texts_of_both_generations_are_read(key: str) -> None:
    assert _statements(_query("SELECT * FROM a JOIN b USING (id)", key=key)) == ["SELECT a b"]


def test_the_newer_key_counts() -> None:
    span = make_span(
        {"db.query.text": "SELECT * FROM new", "db.statement": "SELECT * FROM old", "db.system": "mysql"},
        kind=Kind.CLIENT,
    )

    assert _statements(span) == ["SELECT new"]


def test_a_summary_is_believed_and_its_text_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _parsed(monkeypatch)
    span = make_span(
        {"db.system.name": "mysql", "db.query.summary": "SELECT a", "db.query.text": "SELECT * FROM a JOIN b"},
        kind=Kind.CLIENT,
    )

    assert _statements(span) == ["SELECT a"]
    assert not seen


@pytest.mark.parametrize("system", ["mongodb", "redis", "elasticsearch", "cassandra", "neo4j"])
def test_systems_that_do_not_speak_sql_are_left_alone(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _parsed(monkeypatch)

    assert _statements(_query("SELECT * FROM a", system)) == [""]
    assert not seen


def test_a_text_without_tables_is_no_reason_to_lose_the_span() -> None:
    described = describe(decode_requests([make_request(_query("no SQL ("), _query("SELECT 'x"))]).raw)

    assert described.spans.height == 2


def test_a_text_cut_within_a_character_does_not_cost_the_span() -> None:
    request = make_request(_query("SELECT * FROM a WHERE name = 'CUTHERE"), _query("SELECT * FROM b"))
    broken = request.replace(b"CUTHERE", b"CUTHER\xc3")

    decoded = decode_requests([broken])

    assert decoded.verdicts[0].accepted == 2
    described = describe(decoded.raw)
    assert [described.operations[row][STATEMENT] for row in described.spans["operation_row"]] == ["", "SELECT b"]


# --- equal but for their values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variants",
    [
        ["SELECT * FROM a WHERE x = 1", "SELECT * FROM a WHERE x = 27", "SELECT * FROM a\n WHERE x = 1.5e3"],
        ["SELECT * FROM a WHERE x = ''", "SELECT * FROM a WHERE x = 'it''s'", "SELECT * FROM a WHERE x = '-- 5 /*'"],
        [
            "SELECT * FROM a WHERE x IN (?)",
            "SELECT * FROM a WHERE x IN (1, 2,3)",
            "SELECT * FROM a WHERE x IN ('y','z')",
        ],
        ["INSERT INTO a VALUES (1, 'x')", "INSERT INTO a VALUES (2, 'y'), (3, 'z')"],
        ["SELECT * FROM a /* trace 1 */", "SELECT * FROM a /* trace 2 */ -- it's 3"],
        ["SELECT * FROM a WHERE x = $1", "SELECT * FROM a WHERE x = $2", "SELECT * FROM a WHERE x = :name"],
    ],
)
def test_statements_that_differ_in_values_only_are_parsed_once(
    variants: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _parsed(monkeypatch)

    assert _statements(*map(_query, variants)) == ["SELECT seen"] * len(variants)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "text",
    ['SELECT "it\'s".a FROM "it\'s"', "SELECT x::int FROM t2024", "SELECT a1 FROM a1, a2", "SELECT `a'b` FROM c"],
)
def test_names_and_casts_stay(text: str) -> None:
    (normal,) = without_values(pl.Series([text]), backslashes=False)

    assert "".join(normal.split()) == "".join(text.split())


def test_double_quotes_and_backslashes_are_read_as_the_system_does() -> None:
    (normal,) = without_values(
        pl.Series(["""SELECT * FROM a WHERE x = 'it\\'s' AND y = "a \\" b" """]), backslashes=True
    )

    assert normal == "SELECT * FROM a WHERE x = '' AND y = \"\""


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60), backslashes=st.booleans())
def test_taking_values_out_never_fails(text: str, backslashes: bool) -> None:
    assert len(without_values(pl.Series([text], dtype=pl.String), backslashes=backslashes)) == 1


# --- budgets -------------------------------------------------------------------------------------------------------


def _distinct_queries(count: int, width: int = 0) -> list[Span]:
    return [_query(_select(f"t{number}x", "y" * width)) for number in range(count)]


def test_a_flood_of_new_texts_is_parsed_up_to_the_budget_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = _parsed(monkeypatch)
    raw = decode_requests([make_request(*_distinct_queries(200, width=1_000), resource={"service.name": "shop"})]).raw
    interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())

    interner.intern(describe(raw))

    assert 0 < sum(map(len, seen)) <= MAX_BATCH_CHARS
    assert interner.take_folded() == {("shop", STATEMENTS): 200 - len(seen)}


def test_what_one_batch_could_not_afford_the_next_one_reads() -> None:
    spans = _distinct_queries(100, width=1_000)

    before, after = _statements(*spans), _statements(*spans)

    assert before.count(OTHER) > after.count(OTHER) == 0


def test_an_endless_flood_ends_up_with_little_per_second() -> None:
    now = [0.0]
    budget = ParseBudget(clock=lambda: now[0])

    def affordable() -> int:
        budget.begin_batch()
        return sum(budget.take(1_024) for _ in range(1_000))

    assert sum(affordable() for _ in range(100)) * 1_024 == MAX_SAVED_CHARS
    now[0] = 1.0
    assert affordable() * 1_024 == query_texts.CHARS_PER_S


def test_only_so_many_texts_of_a_batch_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_texts, "MAX_TEXTS", 3)

    assert _statements(*_distinct_queries(5)).count(OTHER) == 2


@pytest.mark.parametrize("length", [MAX_STATEMENT_CHARS, MAX_TEXT_CHARS])
def test_texts_that_nobody_wrote_are_not_parsed(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _parsed(monkeypatch)

    assert _statements(_query(_select("a", "b" * length))) == [""]
    assert not seen


def test_long_lists_of_values_do_not_make_a_statement_long() -> None:
    values = ", ".join(f"({number}, 'x')" for number in range(1_500))

    assert _statements(_query(" ".join(("INSERT INTO a VALUES", values)))) == ["INSERT a"]


def test_no_text_is_remembered(texts: QueryTexts) -> None:
    _statements(_query("SELECT * FROM a WHERE name = 'secret' AND secret_column = 5"))

    assert "secret" not in repr(texts._known)
    assert list(texts._known.values()) == ["SELECT a"]
