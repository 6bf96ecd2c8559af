"""Query texts of a batch as statements: each distinct text is parsed once, and none is kept.

Parsing takes half a millisecond, receiving a span three microseconds. So texts that differ in their values only are
made equal first, what was parsed is remembered (by its hash: the text itself leaves with its batch), and new texts have
a budget. Senders who bring new texts all the time spend it; what is beyond is stored as ``(other)`` and counted.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tracelith.ingest.fields import NO_TEXT, Codes, Fields
from tracelith.model.schema import OTHER
from tracelith.model.semantic_conventions import DB_SYSTEM_RENAMES, KNOWN_KEYS, QUERY_TEXT_KEYS

__all__ = ["ParseBudget", "QueryTexts", "Statements", "split_query_texts", "without_values"]

MAX_TEXT_CHARS: Final = 32_768
"""Longer texts are not read; a bulk insert of so much says nothing that a shorter one does not."""

MAX_STATEMENT_CHARS: Final = 8_192
"""Texts that are longer when their values are gone are not parsed: 0.1 s, and no person wrote them."""

MAX_TEXTS: Final = 4_096
"""Distinct texts looked at in one batch; making one equal to its like takes 10 µs."""

MAX_KNOWN: Final = 20_000
"""Statements remembered. When there are more, all are forgotten: only a flood brings that many."""

MAX_BATCH_CHARS: Final = 65_536
"""Characters parsed for one batch, about 0.35 s; the spans behind it wait for so long at worst, and only once."""

MAX_SAVED_CHARS: Final = 262_144
"""Characters that may be parsed after a pause: two thousand statements, more than most systems have in all."""

CHARS_PER_S: Final = 8_192
"""Characters that may be parsed per second for ever: a twentieth of a core, half a hundred new statements."""

DIALECTS: Final[Mapping[str, str]] = {
    # Systems that speak SQL (db.system.name), and the parser's name for how. An unnamed system may speak any; what the
    # parser's common dialect reads then is right, and what it does not read stays unknown.
    "": "",
    "other_sql": "",
    "postgresql": "postgres",
    "cockroachdb": "postgres",
    "edb": "postgres",
    "aws.redshift": "redshift",
    "mysql": "mysql",
    "mariadb": "mysql",
    "vitess": "mysql",
    "tidb": "mysql",
    "microsoft.sql_server": "tsql",
    "oracle.db": "oracle",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "clickhouse": "clickhouse",
    "gcp.spanner": "",
    "gcp.bigquery": "bigquery",
    "snowflake": "snowflake",
    "databricks": "databricks",
    "trino": "trino",
    "presto": "presto",
    "teradata": "teradata",
    "hive": "hive",
    "apache.hive": "hive",
    "ibm.db2": "",
    "ibm.informix": "",
    "sap.hana": "",
    "h2database": "",
    "hsqldb": "",
    "derby": "",
    "firebirdsql": "",
}

_QUERY_KEYS = [KNOWN_KEYS.index(key) for key in reversed(QUERY_TEXT_KEYS)]
_IS_QUERY = np.isin(np.arange(len(KNOWN_KEYS)), _QUERY_KEYS)

Int64 = NDArray[np.int64]


# --- values become question marks ----------------------------------------------------------------------------------

# One pass for all that may hold the signs of the others. Kept is what is a name; the rest is a value or a comment.
_ANSI = r"""(?s)("[^"]*"|`[^`]*`)|(?:\b[EeNnBbXx])?(')(?:[^']|'')*(')|\$\$.*?\$\$|/\*.*?\*/|--[^\n]*"""
_BACKSLASHES = r"""(?s)(`[^`]*`)|(?:\b[NnBbXx])?(')(?:[^'\\]|\\.|'')*(')|(")(?:[^"\\]|\\.)*(")|/\*.*?\*/|--[^\n]*"""
_BACKSLASH_DIALECTS = frozenset({"mysql", "bigquery", "hive", "databricks"})

_VALUES = r"(^|[^:\w$?])(?:[$?:@]\d+|:[A-Za-z_]\w*|%s|%\(\w+\)s|\?|0x[0-9A-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\b?"
_LISTS = r"""(?:\?|''|"")(?:\s*,\s*(?:\?|''|""))+"""
_ROWS = r"""\(\s*(?:\?|''|"")\s*\)(?:\s*,\s*\(\s*(?:\?|''|"")\s*\))*"""


def without_values(texts: pl.Series, *, backslashes: bool) -> pl.Series:
    """Texts of statements with question marks for all values, lists of them as one, and no comments."""
    return (
        texts.str.replace_all(
            _BACKSLASHES if backslashes else _ANSI, " ${1}${2}${3}${4}${5} " if backslashes else " ${1}${2}${3} "
        )
        .str.replace_all(_VALUES, "${1}?")
        .str.replace_all(_LISTS, "?")
        .str.replace_all(_ROWS, "(?)")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
    )


# --- one batch -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statements:
    """What the query texts of a batch say.

    Attributes:
        codes: int32 per span, index into values.
        values: distinct statements in canonical form (see statements.py); the first is empty, ``(other)`` stands for
            those that were beyond the budget.
    """

    codes: Codes
    values: pa.LargeStringArray


def split_query_texts(attributes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """ATTRIBUTE rows without query texts, and those with; None if there are none, which costs a nanosecond a row."""
    is_query = _IS_QUERY[attributes["key"].to_physical().to_numpy()]
    if not is_query.any():
        return attributes, None
    return attributes.filter(~is_query), attributes.filter(is_query)


class ParseBudget:
    """How much may be parsed: some for every batch, some after a pause, and little for ever."""

    __slots__ = ("_at", "_clock", "_left", "_saved")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at, self._saved, self._left = clock(), float(MAX_SAVED_CHARS), 0.0

    def begin_batch(self) -> None:
        """Gives a batch its share of what is saved."""
        now = self._clock()
        self._saved = min(MAX_SAVED_CHARS, self._saved + (now - self._at) * CHARS_PER_S)
        self._at, self._left = now, min(self._saved, MAX_BATCH_CHARS)

    def take(self, characters: int) -> bool:
        """Whether so many may be parsed for this batch; if so they are spent."""
        if characters > self._left:
            return False
        self._left -= characters
        self._saved -= characters
        return True


class QueryTexts:
    """Knows what the texts met before say. Any thread may ask; they wait for each other."""

    __slots__ = ("_budget", "_known", "_lock")

    def __init__(self, budget: ParseBudget | None = None) -> None:
        self._budget = budget or ParseBudget()
        self._known: dict[int, str] = {}
        self._lock = threading.Lock()

    def read(self, queries: pl.DataFrame | None, fields: Fields) -> Statements:
        """The statement of each span.

        Texts of systems that do not speak SQL are left alone, and so are those of spans with a summary.

        Args:
            queries: ATTRIBUTE rows of QUERY_TEXT_KEYS. fields: what else the spans say.
        """
        codes = np.zeros(fields.codes.shape[1], np.int32)
        if queries is None:
            return Statements(codes, NO_TEXT)
        text, texts = _distinct(queries, len(codes))
        rows = np.flatnonzero((text >= 0) & (fields["db_summary"] == 0))
        systems = fields["db_system"][rows]
        pairs, pair = np.unique(text[rows] * (int(systems.max(initial=0)) + 1) + systems, return_inverse=True)
        first = np.zeros(len(pairs), np.int64)
        first[pair] = rows
        statements = self._statements(texts.gather(text[first]), fields.texts("db_system", first).to_pylist())
        distinct = ["", *sorted(set(statements) - {""})]
        numbers = {statement: number for number, statement in enumerate(distinct)}
        codes[rows] = np.array([numbers[statement] for statement in statements], np.int32)[pair]
        return Statements(codes, pa.array(distinct, pa.large_string()))

    def _statements(self, texts: pl.Series, systems: list[str]) -> list[str]:
        """What each text says, written for this system."""
        found = [OTHER if number >= MAX_TEXTS else "" for number in range(len(texts))]
        dialects = [_dialect(system) for system in systems[:MAX_TEXTS]]
        short = (texts.str.len_bytes() <= MAX_TEXT_CHARS).to_list()
        with self._lock:
            self._budget.begin_batch()
            for dialect in {dialect for dialect in dialects if dialect is not None}:
                here = [number for number, other in enumerate(dialects) if other == dialect and short[number]]
                normal = without_values(texts.gather(here), backslashes=dialect in _BACKSLASH_DIALECTS)
                for number, text in zip(here, normal.to_list(), strict=True):
                    found[number] = self._statement(text, dialect)
        return found

    def _statement(self, text: str, dialect: str) -> str:
        key = hash((dialect, text))
        if (known := self._known.get(key)) is not None:
            return known
        if len(text) > MAX_STATEMENT_CHARS:
            return ""
        if not self._budget.take(len(text)):
            return OTHER
        # Half a second for the parser's sake, which servers never need whose senders write summaries.
        from tracelith.ingest.sql_texts import parse_statement  # noqa: PLC0415 (see above)

        statement = parse_statement(text, dialect)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = statement
        return statement


def _distinct(queries: pl.DataFrame, rows: int) -> tuple[Int64, pl.Series]:
    """The number of each span's text, -1 for none, and the texts; of two keys of one span the newer counts."""
    encoded = queries["value"].to_arrow(compat_level=pl.CompatLevel.newest()).dictionary_encode()
    number, row = encoded.indices.to_numpy(), queries["row"].to_numpy()
    key = queries["key"].to_physical().to_numpy()
    text = np.full(rows, -1, np.int64)
    for wanted in _QUERY_KEYS:
        here = key == wanted
        text[row[here]] = number[here]
    return text, pl.Series(encoded.dictionary, dtype=pl.String)


def _dialect(system: str) -> str | None:
    """How a system speaks SQL, None if it does not."""
    name = system.lower()
    return DIALECTS.get(DB_SYSTEM_RENAMES.get(name, name))
