"""What a statement does to which tables, read from its canonical form: each operation, then its tables.

``SELECT orders users`` reads two tables at once, ``INSERT invoices SELECT orders`` writes one and reads the other,
``ALTER TABLE users`` changes what a table is. Only distinct statements come here, a few hundred in a system.
"""

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Action", "Statement", "TableAccess", "parse_statement"]

_WRITES = frozenset((
    "insert", "update", "delete", "merge", "replace", "upsert", "truncate", "copy", "load", "put", "write", "set",
    "increment", "remove", "save", "insertone", "insertmany", "updateone", "updatemany", "replaceone", "deleteone",
    "deletemany", "bulkwrite", "findandmodify", "findoneandupdate", "findoneandreplace", "findoneanddelete",
    "putitem", "updateitem", "deleteitem", "batchwriteitem", "transactwriteitems", "index", "bulk", "create_item",
    "upsert_item", "replace_item", "delete_item", "patch_item", "mutate",
))  # fmt: skip
_READS = frozenset((
    "select", "find", "findone", "aggregate", "count", "distinct", "getmore", "get", "getitem", "batchgetitem",
    "transactgetitems", "query", "scan", "search", "msearch", "mget", "multiget", "read", "read_item", "query_items",
    "exists", "with", "values", "show", "describe", "explain",
))  # fmt: skip
_DEFINES = frozenset((
    "alter", "create", "drop", "rename", "reindex", "vacuum", "analyze", "cluster", "refresh", "comment", "grant",
    "revoke", "lock",
))  # fmt: skip
"""What changes a table itself, or holds it as a whole. TRUNCATE is left to the writes: jobs use it every night."""

_NOISE = frozenset((
    "table", "tables", "index", "indexes", "unique", "view", "materialized", "into", "from", "only", "if", "exists",
    "not", "concurrently", "database", "schema", "sequence", "temporary", "temp", "unlogged", "foreign", "column",
    "constraint", "on", "low_priority", "ignore", "all", "as",
))  # fmt: skip
"""Words of SQL that may stand between an operation and its table."""

_LONGEST = 2_048
"""Characters of a statement that are read; a canonical form is far shorter."""


@dataclass(frozen=True, slots=True)
class TableAccess:
    """One table of a statement.

    Attributes:
        table: as the statement names it, perhaps with its schema.
        reads, writes, defines: what is done to it; a statement may write to one table and read others.
        joined: other tables are touched by the same statement.
    """

    table: str
    reads: bool
    writes: bool
    defines: bool
    joined: bool


Action = str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement.

    Attributes:
        tables: in their order, each once; empty if the statement names none.
        definition: the operation with its kind of object (``ALTER TABLE``) if it defines something, else empty.
    """

    tables: tuple[TableAccess, ...]
    definition: Action = ""


@lru_cache(maxsize=16_384)
def parse_statement(text: str) -> Statement:
    """The tables of a statement and what it does to them.

    The first table after a writing operation is written, the others are read. An operation that is not known reads:
    to take it for a write would accuse somebody.
    """
    words = text[:_LONGEST].split()
    found: dict[str, list[bool]] = {}
    definition: list[str] = []
    # A statement always begins with its operation, whether it is known or not.
    operation, first = (words[0].lower() if words else ""), True
    if operation in _DEFINES:
        definition.append(words[0].upper())
    for word in words[1:]:
        lower = word.lower()
        if lower in _NOISE:
            if definition and not found:
                definition.append(word.upper())
        elif _is_operation(word):
            operation, first = lower, True
        else:
            roles = found.setdefault(word, [False, False, False])
            writes = operation in _WRITES and first
            roles[1 if writes else 2 if operation in _DEFINES else 0] = True
            first = False
    joined = len(found) > 1
    tables = tuple(
        TableAccess(table, reads, writes, defines, joined and not defines)
        for table, (reads, writes, defines) in found.items()
    )
    return Statement(tables, " ".join(definition))


def _is_operation(word: str) -> bool:
    """Whether a word begins another operation: operations are written in capitals, tables rarely are."""
    return word.isupper() and word.lower() in _WRITES | _READS | _DEFINES
