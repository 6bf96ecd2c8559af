"""The keys of facts about entry operations, and the text of codes.

Observing works on integer codes; text is looked up once per fact row, at the end.
"""

from collections.abc import Mapping

import polars as pl

from tracelith.analysis.statistics.weights import SAMPLING_KEY
from tracelith.forest.view import ForestView
from tracelith.model.facts import FactTable

__all__ = ["ENTRY_KEYS", "fact_rows", "names_of"]

ENTRY_KEYS: Mapping[str, type[pl.DataType]] = {
    "service": pl.String,
    "operation": pl.String,
    "restarted": pl.Boolean,
    SAMPLING_KEY: pl.Boolean,
}
"""Keys of every fact about an entry operation. Restarted chains (headed by the receiver of a deferred call) are
entry operations of their own: nobody waits for them at the door."""


def names_of(codes: pl.Series, names: tuple[str, ...]) -> pl.Series:
    """Text of each code; -1 is the last name."""
    return pl.Series(codes.name, names, dtype=pl.String)[codes]


def fact_rows(table: FactTable, rows: pl.DataFrame, view: ForestView, **texts: tuple[str, ...]) -> pl.DataFrame:
    """Rows as the table's schema wants them: codes replaced by their text, columns in order.

    They are merged, once for all analyses, after all have observed.

    Args:
        table: what is produced.
        rows: columns of the table with codes in ``environment``, in ``entry`` (which becomes service and operation)
            and in the columns named in texts.
        view: whose codes they are.
        texts: names by column.
    """
    schema = table.schema
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    columns = {name: rows[name] for name in schema if name in rows.columns}
    columns["environment"] = names_of(rows["environment"], view.forest.environments)
    if "entry" in rows.columns:
        columns["service"] = names_of(rows["entry"], view.chains.entry_services)
        columns["operation"] = names_of(rows["entry"], view.chains.entry_operations)
    columns |= {name: names_of(rows[name], names) for name, names in texts.items()}
    # Column by column: to plan a query costs more than a small table takes, and most are small.
    return pl.DataFrame([columns[name].cast(kind).alias(name) for name, kind in schema.items()])
