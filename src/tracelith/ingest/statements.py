"""What a database statement does to which tables, in one form for all who tell it: ``INSERT invoices SELECT orders``.

Each operation is followed by its tables, with their schema where it is told; one that defines something also says what
(``ALTER TABLE orders``). Here that form is made of what spans say in so many words, ``db.query.summary`` or an
operation and a collection; sql_texts.py makes it of the text of statements.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["OPERATIONS", "bare_name", "first_table", "summary_statement"]

OPERATIONS = frozenset(
    [
        *("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "UPSERT", "TRUNCATE", "COPY", "BATCH"),
        *("CREATE", "ALTER", "DROP", "RENAME", "LOCK", "CALL", "EXECUTE", "EXEC", "EXPLAIN", "SHOW", "SET"),
        *("BEGIN", "COMMIT", "ROLLBACK"),
    ]
)
"""Words that begin a statement, or a further operation in it, and are no table."""

MAX_SUMMARY_CHARS = 255
"""What the conventions allow a summary; one as long as this may be cut within its last name."""

_DEFINING = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "LOCK", "RENAME"})
_TABLES = frozenset({"TABLE", "TABLES", "VIEW"})
_NOT_TABLES = frozenset({"INDEX", "SEQUENCE", "DATABASE", "SCHEMA", "PROCEDURE", "FUNCTION", "TRIGGER", "TYPE", "ROLE"})
_KINDS = _TABLES | _NOT_TABLES
_BETWEEN = frozenset({"TEMPORARY", "TEMP", "UNIQUE", "MATERIALIZED", "IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY"})
_WITHOUT_TABLES = frozenset({"redis", "memcached", "valkey"})
"""What follows the command of a key-value store is a key, and there are as many as there are things."""

_WORD = re.compile(r"""(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[^\s"`\[\],;])+""")
_QUOTES = str.maketrans("", "", '"`[]')


def summary_statement(summary: str, *, table: str = "", system: str = "") -> str:
    """The statement that a summary tells.

    Args:
        summary: an operation and what it works on, perhaps several times: ``SELECT orders "user list"``,
            ``ALTER TABLE orders``. What follows ``CREATE INDEX`` is no table, and left out.
        table: the one table that the span names beside it, if any.
        system: ``db.system.name``; key-value stores have no tables.
    """
    words = [bare_name(word) for word in _WORD.findall(summary)]
    if len(summary) >= MAX_SUMMARY_CHARS and len(words) > 1:
        words.pop()
    if not words:
        return bare_name(table)
    first, *others = words
    operation = first.upper() if first.upper() in OPERATIONS else first
    if system in _WITHOUT_TABLES:
        return operation
    kept = [operation, *_kept(others, operation, lower=first.islower())]
    return " ".join([*kept, bare_name(table)] if table and not any(_tables(kept)) else kept)


def first_table(statement: str) -> str:
    """The table that a statement in canonical form names first; empty if it names none."""
    return next(_tables(statement.split(" ")), "")


def bare_name(name: str) -> str:
    """A name as one word without quotes."""
    return "_".join(name.translate(_QUOTES).split())


def _kept(words: Iterable[str], operation: str, *, lower: bool) -> Iterator[str]:
    """Operations and tables, without the words between them and without names of what is no table.

    Args:
        operation: what the words follow. lower: operations may be written small.
    """
    of_another = False
    for word in words:
        upper = word.upper()
        if upper in OPERATIONS and (lower or word == upper):
            operation, of_another = upper, False
            yield upper
        elif operation not in _DEFINING:
            yield word
        elif upper in _KINDS:
            of_another = upper in _NOT_TABLES
            yield upper
        elif upper not in _BETWEEN and not of_another:
            yield word


def _tables(words: Sequence[str]) -> Iterator[str]:
    """The tables among the words of a statement in canonical form."""
    defining = False
    for position, word in enumerate(words):
        if position == 0 or word in OPERATIONS:
            defining = word in _DEFINING
        elif not (defining and word in _KINDS):
            yield word
