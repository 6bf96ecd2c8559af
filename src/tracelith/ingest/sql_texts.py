"""What the text of a database statement says: its operations and tables, as statements.py writes them.

The text ends here: nothing of it but names of tables is returned, kept or logged. This module takes half a second to
import, for the parser's sake; query_texts.py does so when the first text comes.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Set

import sqlglot
from sqlglot import exp

from tracelith.ingest.statements import OPERATIONS, bare_name

__all__ = ["parse_statement"]

MAX_TABLES = 16
"""Tables kept of one statement; more are generated, and no person reads them."""

MAX_TABLE_CHARS = 128
"""Longer names of tables are no names: PostgreSQL allows 63 characters, SQL Server 128."""

MOST_SUBSCRIPTS = 32
"""Opening brackets of a text that is parsed: a chain of subscripts costs the square of its length, 3 s for 330 of them
and 0.03 s for so many. Names in brackets (SQL Server) cost no more than others."""

# What the parser gives up on, and these systems' users write: the same in words it knows.
_LOCK = re.compile(r"\s*LOCK\s+TABLES?\s+(?:ONLY\s+)?([\w.\"`]+)", re.IGNORECASE)
_UPSERT = re.compile(r"\s*(?:REPLACE|UPSERT)\s+INTO\s", re.IGNORECASE)
_CURSOR = re.compile(r"\s*DECLARE\s[^;]{0,100}?\sCURSOR\s(?:[^;]{0,60}?\s)?FOR\s", re.IGNORECASE)
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?(?=SELECT\s|WITH\s)", re.IGNORECASE)


logging.getLogger("sqlglot").addFilter(lambda _record: False)  # it logs the text of what it cannot read


def parse_statement(text: str, dialect: str) -> str:
    """What the text of a statement, or of several, says; empty if it cannot be read. Never raises.

    Args:
        text: SQL, bounded by the caller: the cost is 5 µs per character, 15 at worst.
        dialect: the parser's name for how the system speaks; empty for the common one.
    """
    if dialect != "tsql" and text.count("[") > MOST_SUBSCRIPTS:
        return ""
    if lock := _LOCK.match(text):
        return f"LOCK TABLE {bare_name(lock[1])}"
    text = _EXPLAIN.sub("", _CURSOR.sub("", _UPSERT.sub("INSERT INTO ", text, 1), 1), 1)
    try:
        trees = sqlglot.parse(text, read=dialect or None)
        return _joined(fact for tree in trees if tree is not None for fact in _facts(tree))
    except Exception:  # a parser of others' languages, on anybody's text: whatever it stumbles over, receiving goes on
        return ""


_Fact = tuple[str, str]
"""An operation and a table; the table is empty where there is none."""


def _joined(facts: Iterable[_Fact]) -> str:
    """Facts as text, each once: every write with its one table, then all that is read."""
    distinct = dict.fromkeys(fact for fact in facts if len(fact[1]) <= MAX_TABLE_CHARS)
    reads = [table for operation, table in distinct if operation == "SELECT" and table]
    writes = [fact for fact in distinct if fact[0] != "SELECT"][:MAX_TABLES]
    words = [word for fact in writes for word in fact if word]
    if reads or ("SELECT", "") in distinct:
        words += ["SELECT", *reads[: MAX_TABLES - len(writes)]]
    return " ".join(words)


def _facts(tree: exp.Expr) -> Iterator[_Fact]:
    """What one statement does: its writes, then its reads."""
    if (single := _single(tree)) is not None:
        yield from single
        return
    aliases = {table.alias: table for table in tree.find_all(exp.Table) if table.alias}
    no_reads = set[int]()
    for node in tree.walk(bfs=False):
        operation, targets, others = _written(node)
        no_reads.update(map(id, (*targets, *others)))
        lasting = [target for target in targets if not _is_temporary(target)]
        if operation and not targets:
            yield operation, ""
        yield from ((operation, _name(each if each.db else aliases.get(each.name, each))) for each in lasting)
    common = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table, bfs=False):
        if id(table) not in no_reads and _is_stored(table, common):
            yield "SELECT", _name(table)


def _single(tree: exp.Expr) -> list[_Fact] | None:
    """The facts of a statement that has no tables; None of one that may have some."""
    words = ((exp.Transaction, "BEGIN"), (exp.Commit, "COMMIT"), (exp.Rollback, "ROLLBACK"), (exp.Set, "SET"))
    for kind, word in words:
        if isinstance(tree, kind):
            return [(word, "")]
    if not isinstance(tree, exp.Command):
        return [("SELECT", "")] if isinstance(tree, exp.Query) and tree.find(exp.Table) is None else None
    word = str(tree.this).upper()
    return [(word, "")] if word in OPERATIONS else []


_Written = tuple[str, list[exp.Table], list[exp.Table]]
"""An operation, empty for what is none; the tables it writes to; and what looks like a table but is another name."""


def _written(node: exp.Expr) -> _Written:  # noqa: PLR0911 (one answer for each kind of statement)
    """What this part of a statement writes by itself; most parts write nothing."""
    if isinstance(node, exp.Create | exp.Alter | exp.Drop):
        return _defined(node)
    named = _tables(*(node.args.get("tables") or [node.this]))
    match node:
        case exp.Insert() | exp.Merge() | exp.Delete():
            return node.key.upper(), named, []
        case exp.Update() if node.this is not None:  # without a table it is part of a MERGE or an upsert
            return "UPDATE", named, []
        case exp.TruncateTable():
            return "TRUNCATE", _tables(*node.expressions), []
        case exp.Copy() if node.args.get("kind"):  # COPY table FROM; with TO it reads
            return "INSERT", named, []
        case exp.Into():
            return "CREATE TABLE", named, []
    elsewhere = exp.AlterRename | exp.UserDefinedFunction | exp.Analyze | exp.Comment
    return "", [], named if isinstance(node, elsewhere) else []


def _defined(node: exp.Expr) -> _Written:
    """What CREATE, ALTER or DROP does; to an index is to its table, if it says which."""
    kind, named = str(node.args.get("kind") or "").upper(), _tables(*(node.args.get("tables") or [node.this]))
    properties, place = node.args.get("properties"), node.args.get("cluster")
    if properties is not None and properties.find(exp.TemporaryProperty) is not None:
        return "", [], named
    operation = f"{node.key.upper()} {kind}"
    if kind in {"TABLE", "VIEW"} or isinstance(node.this, exp.Index):
        return operation, named, []
    return operation, (_tables(place.this) if kind == "INDEX" and place is not None else []), named


def _tables(*parts: exp.Expr | None) -> list[exp.Table]:
    """The tables that parts of a statement name directly, or with columns, or as that of an index."""
    found = list[exp.Table]()
    for part in parts:
        inner = part.this if isinstance(part, exp.Schema) else part
        inner = inner.args.get("table") if isinstance(inner, exp.Index) else inner
        if isinstance(inner, exp.Table):
            found.append(inner)
    return found


def _is_temporary(table: exp.Table) -> bool:
    return bool(table.this.args.get("temporary")) or table.name.startswith("#")


def _is_stored(table: exp.Table, common: Set[str]) -> bool:
    """Whether a table that is read is one: no function, no name given within the statement, nothing temporary."""
    if not isinstance(table.this, exp.Identifier) or _is_temporary(table) or table.name.lower() == "dual":
        return False
    if table.db or table.name not in common:
        return True
    around = table.find_ancestor(exp.CTE)  # WITH orders AS (SELECT * FROM orders): the inner one is a table
    if around is None or around.alias != table.name:
        return False
    return around.parent is None or not around.parent.args.get("recursive")


def _name(table: exp.Table) -> str:
    return ".".join(bare_name(part) for part in (table.catalog, table.db, table.name) if part)
