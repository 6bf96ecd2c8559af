"""Database statements in one form, from summaries and from their text."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.ingest.sql_texts import MAX_TABLES, parse_statement
from tracelith.ingest.statements import MAX_SUMMARY_CHARS, first_table, summary_statement

# --- summaries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("summary", "statement"),
    [
        ("SELECT orders users", "SELECT orders users"),
        ("select orders", "SELECT orders"),
        ("INSERT invoices SELECT orders", "INSERT invoices SELECT orders"),
        ("insert invoices select orders", "INSERT invoices SELECT orders"),
        ('SELECT "order list" [dbo].[items];', "SELECT order_list dbo.items"),
        ("ALTER TABLE orders", "ALTER TABLE orders"),
        ("DROP TABLE IF EXISTS orders", "DROP TABLE orders"),
        ("CREATE UNIQUE INDEX orders_by_day", "CREATE INDEX"),
        ("find orders", "find orders"),
        ("SELECT", "SELECT"),
        ("  ", ""),
    ],
)
def test_a_summary_is_told_in_the_one_form(summary: str, statement: str) -> None:
    assert summary_statement(summary) == statement


def test_a_table_called_like_an_operation_stays_a_table() -> None:
    assert summary_statement("SELECT orders call") == "SELECT orders call"


def test_the_key_of_a_key_value_store_is_no_table() -> None:
    assert summary_statement("GET user:8231", system="redis") == "GET"


def test_a_name_beside_the_summary_stands_in_where_the_summary_has_no_table() -> None:
    assert summary_statement("CREATE INDEX orders_by_day", table="orders") == "CREATE INDEX orders"
    assert summary_statement("SELECT orders users", table="orders") == "SELECT orders users"
    assert summary_statement("", table="orders") == "orders"


def test_a_summary_cut_within_a_name_loses_that_name() -> None:
    cut = ("SELECT orders " + "u" * MAX_SUMMARY_CHARS)[:MAX_SUMMARY_CHARS]

    assert summary_statement(cut) == "SELECT orders"


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("SELECT orders users", "orders"),
        ("ALTER TABLE orders", "orders"),
        ("CREATE INDEX", ""),
        ("SELECT", ""),
        ("", ""),
    ],
)
def test_the_first_table_is_the_object_of_a_call(statement: str, table: str) -> None:
    assert first_table(statement) == table


# --- texts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("SELECT * FROM orders o JOIN shop.users u ON o.user_id = u.id", "SELECT orders shop.users"),
        ("SELECT a.x FROM a, b, (SELECT * FROM c) d", "SELECT a b c"),
        ("SELECT x FROM a UNION ALL SELECT x FROM b", "SELECT a b"),
        ("SELECT x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.a = a.id)", "SELECT a b"),
        ("SELECT * FROM orders WHERE id = ? FOR UPDATE", "SELECT orders"),
        ("SELECT * FROM generate_series(1, 9) g, LATERAL (SELECT * FROM a) b", "SELECT a"),
        ("WITH recent AS (SELECT * FROM orders) SELECT * FROM recent", "SELECT orders"),
        ("WITH orders AS (SELECT * FROM orders) SELECT * FROM orders", "SELECT orders"),
        (
            "WITH RECURSIVE r AS (SELECT * FROM a UNION ALL SELECT * FROM r JOIN b ON true) SELECT * FROM r",
            "SELECT a b",
        ),
        ("SELECT 1", "SELECT"),
        ("INSERT INTO invoices (a) SELECT a FROM orders", "INSERT invoices SELECT orders"),
        ("INSERT INTO a (x) VALUES (?) ON CONFLICT (x) DO UPDATE SET y = excluded.y RETURNING x", "INSERT a"),
        ("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "INSERT b DELETE a"),
        ("UPDATE a SET x = 1 FROM b WHERE a.id = b.id", "UPDATE a SELECT b"),
        ("DELETE FROM a USING b WHERE a.id = b.id", "DELETE a SELECT b"),
        ("MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN UPDATE SET x = 1", "MERGE a SELECT b"),
        ("TRUNCATE TABLE a, b", "TRUNCATE a TRUNCATE b"),
        ("ALTER TABLE shop.orders ADD COLUMN x int", "ALTER TABLE shop.orders"),
        ("ALTER TABLE a RENAME TO b", "ALTER TABLE a"),
        ("ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b (y)", "ALTER TABLE a SELECT b"),
        ("CREATE INDEX CONCURRENTLY i ON orders (x)", "CREATE INDEX orders"),
        ("DROP INDEX i", "DROP INDEX"),
        ("CREATE TABLE a AS SELECT * FROM b", "CREATE TABLE a SELECT b"),
        ("CREATE TEMPORARY TABLE a AS SELECT * FROM b", "SELECT b"),
        ("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE", "LOCK TABLE orders"),
        ("COPY orders FROM STDIN", "INSERT orders"),
        ("COPY orders TO STDOUT", "SELECT orders"),
        ("EXPLAIN ANALYZE SELECT * FROM a", "SELECT a"),
        ("DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT * FROM a", "SELECT a"),
        ("VACUUM a", ""),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("SELECT * FROM a; DROP TABLE b", "DROP TABLE b SELECT a"),
        ('SELECT * FROM "public"."Order List"', "SELECT public.Order_List"),
        ("SELECT FROM WHERE", ""),
        ("no SQL at all (", ""),
        ("", ""),
    ],
)
def test_a_text_tells_what_is_written_and_all_that_is_read(text: str, statement: str) -> None:
    assert parse_statement(text, "postgres") == statement


@pytest.mark.parametrize(
    ("dialect", "text", "statement"),
    [
        ("mysql", "SELECT * FROM `shop`.`orders` STRAIGHT_JOIN users", "SELECT shop.orders users"),
        ("mysql", "REPLACE INTO orders VALUES (?)", "INSERT orders"),
        ("mysql", "DELETE o FROM orders o JOIN users u ON o.u = u.id", "DELETE orders SELECT orders users"),
        ("mysql", "DROP INDEX i ON orders", "DROP INDEX orders"),
        ("tsql", "SELECT TOP ? * FROM [dbo].[Orders] WITH (NOLOCK)", "SELECT dbo.Orders"),
        ("tsql", "UPDATE o SET x = 1 FROM orders o JOIN users u ON o.u = u.id", "UPDATE orders SELECT orders users"),
        ("tsql", "SELECT * INTO #work FROM orders", "SELECT orders"),
        ("oracle", "SELECT sysdate FROM dual", ""),
        ("oracle", "SELECT * FROM (SELECT * FROM orders WHERE rownum <= ?) o", "SELECT orders"),
        ("", "SELECT * FROM orders", "SELECT orders"),
    ],
)
def test_each_system_is_read_in_its_own_dialect(dialect: str, text: str, statement: str) -> None:
    assert parse_statement(text, dialect) == statement


def test_generated_statements_keep_a_bounded_number_of_tables() -> None:
    text = " ".join(("SELECT * FROM", ", ".join(f"t{number}" for number in range(500))))

    assert len(parse_statement(text, "postgres").split()) == 1 + MAX_TABLES


@pytest.mark.parametrize(
    "opening", ["(", "SELECT (", "NOT ", "CASE WHEN ", "SELECT * FROM (", "[", "f(", "-", "'", "/*"]
)
def test_deeply_nested_text_says_nothing_and_does_no_harm(opening: str) -> None:
    assert parse_statement((opening * 8_192)[:8_192], "postgres") == ""


_FRAGMENTS = """SELECT FROM WHERE JOIN ON INSERT INTO UPDATE SET DELETE CREATE TABLE DROP ALTER INDEX WITH AS UNION
MERGE
USING LOCK COPY ( ) , ; * = ' " ` [ ] ? :: -- /* */ a b.c 1 LATERAL VALUES $$ EXPLAIN"""
_SQL = st.lists(st.sampled_from(_FRAGMENTS.split()), max_size=30).map(" ".join)


def test_a_long_chain_of_subscripts_is_not_parsed_for_it_would_hold_up_receiving() -> None:
    assert parse_statement("SELECT a" + "[1]" * 2_000 + " FROM orders", "postgres") == ""
    assert parse_statement("SELECT a" + "[1]" * 4 + " FROM orders", "postgres") == "SELECT orders"


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(_SQL, st.text(max_size=80)), dialect=st.sampled_from(["", "postgres", "mysql", "tsql", "oracle"]))
def test_any_text_gives_a_statement_or_nothing(text: str, dialect: str) -> None:
    statement = parse_statement(text, dialect)

    assert statement == " ".join(statement.split())


def test_the_text_of_a_statement_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for text in ("SHOW secret", "VACUUM secret", "CALL secret(1)", "secret (", "SELECT 'secret"):
            parse_statement(text, "postgres")

    assert "secret" not in caplog.text
