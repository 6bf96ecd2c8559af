"""The SQL that a FactTable declaration stands for. Table and column names come from analyses, never from telemetry."""

import re
from collections.abc import Iterable

import polars as pl

from tracelith.model.facts import FactTable

__all__ = [
    "create",
    "delete_hours",
    "delete_period",
    "delete_windows",
    "insert",
    "merge",
    "merge_by_window",
    "merge_to_hours",
    "stored_types",
    "table_name",
]

TYPES: dict[type[pl.DataType], str] = {
    pl.Boolean: "BOOLEAN",
    pl.Int8: "TINYINT",
    pl.Int16: "SMALLINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.UInt8: "UTINYINT",
    pl.UInt16: "USMALLINT",
    pl.UInt32: "UINTEGER",
    pl.UInt64: "UBIGINT",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
}

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,60}")


def table_name(table: FactTable) -> str:
    """``fact_<name>``.

    Raises:
        ValueError: the name would need quoting in SQL.
    """
    return f"fact_{_checked(table.name)}"


def stored_types(table: FactTable) -> dict[str, str]:
    """DuckDB type of every stored column, in order.

    Raises:
        ValueError: a column's name would need quoting, or its type has no counterpart.
    """
    types = {}
    for name, dtype in table.schema.items():
        kind = TYPES.get(dtype.base_type())
        if kind is None:
            raise ValueError(
                f"{table.name}.{name}: facts cannot be of type {dtype}; known: {', '.join(TYPES.values())}"
            )
        types[_checked(name)] = kind
    return types


def create(table: FactTable) -> str:
    """CREATE TABLE."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in stored_types(table).items())
    return f"CREATE TABLE {table_name(table)} ({columns})"


def insert(table: FactTable) -> str:
    """INSERT of a frame named batch with all stored columns in order."""
    return f"INSERT INTO {table_name(table)} SELECT * FROM batch"  # noqa: S608 - names are checked identifiers


def delete_period(table: FactTable) -> str:
    """DELETE of the windows in [$start, $end)."""
    return f"DELETE FROM {table_name(table)} WHERE window_ns >= $start AND window_ns < $end"  # noqa: S608 - checked identifiers


def delete_windows(table: FactTable) -> str:
    """DELETE of the listed $windows."""
    return f"DELETE FROM {table_name(table)} WHERE window_ns IN (SELECT unnest($windows::BIGINT[]))"  # noqa: S608 - checked identifiers


def merge_by_window(table: FactTable) -> str:
    """Rows of environment $environment in [$start, $end), one per block of $block ns and key, sorted by them.

    A block of 1 ns leaves windows as they are.
    """
    return _grouped(table, ["window_ns", *_quoted(table.keys)], source="window_ns - window_ns % $block AS window_ns")


def merge(table: FactTable) -> str:
    """Rows of environment $environment in [$start, $end), one per key, sorted by the keys."""
    return _grouped(table, _quoted(table.keys))


def merge_to_hours(table: FactTable) -> str:
    """All rows of the listed $hours merged to hours: every stored column, window_ns being the hour."""
    keys = ['"environment"', *_quoted(table.keys)]
    return (
        f"SELECT hour_of(window_ns) AS window_ns, {', '.join([*keys, *_aggregates(table)])} "  # noqa: S608 - checked identifiers
        f"FROM {table_name(table)} WHERE {_IN_HOURS} GROUP BY ALL ORDER BY ALL"
    )


def delete_hours(table: FactTable) -> str:
    """DELETE of the listed $hours."""
    return f"DELETE FROM {table_name(table)} WHERE {_IN_HOURS}"  # noqa: S608 - checked identifiers


# The bounds let DuckDB pass over row groups of other times; the list alone would not.
_IN_HOURS = "window_ns >= $start AND window_ns < $end AND hour_of(window_ns) IN (SELECT unnest($hours::BIGINT[]))"


def _grouped(table: FactTable, keys: list[str], source: str = "window_ns") -> str:
    selected = ", ".join([*keys, *_aggregates(table)])
    # A table without keys has one row for everything, but none when there are no facts.
    grouping = f"GROUP BY {', '.join(keys)}" if keys else "HAVING count(*) > 0"
    ordering = f"ORDER BY {', '.join(f'{key} NULLS FIRST' for key in keys)}" if keys else ""
    return (
        f"SELECT {selected} FROM (SELECT {source}, * EXCLUDE (window_ns) FROM {table_name(table)} "  # noqa: S608 - checked identifiers
        f"WHERE environment = $environment AND window_ns >= $start AND window_ns < $end) {grouping} {ordering}"
    )


def _aggregates(table: FactTable) -> list[str]:
    types = stored_types(table)
    sums = [f'coalesce({_sum(types[name])}("{name}"), 0)::{types[name]} AS "{name}"' for name in table.sums]
    minima = [f'min("{name}") AS "{name}"' for name in table.minima]
    maxima = [f'max("{name}") AS "{name}"' for name in table.maxima]
    return sums + minima + maxima


def _sum(kind: str) -> str:
    # Threads add in any order; compensated summation keeps that from showing in the last digits.
    return "fsum" if kind in ("DOUBLE", "FLOAT") else "sum"


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{_checked(name)}"' for name in names]


def _checked(name: str) -> str:
    if not IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r}: names of fact tables and columns are lower case words joined by underscores")
    return name
