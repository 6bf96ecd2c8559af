"""Services that the declarations name and no span does: misspelt, renamed, or silent."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from tracelith.model.declarations import Declarations

__all__ = ["absent_services"]


def absent_services(declarations: Declarations, seen: Collection[str]) -> list[dict[str, Any]]:
    """One row per declared name without spans: what it is declared as, and the service seen with the most similar name.

    Args:
        declarations: what people said.
        seen: services with spans in the period. If there are none, nothing can be said of anybody.
    """
    if not seen:
        return []
    tables = {
        "table_owners": declarations.table_owners.values(),
        "service_owners": declarations.service_owners,
        "gateways": declarations.gateways,
    }
    absent = {(table, name) for table, names in tables.items() for name in names if name not in seen}
    return [{"declared_in": table, "service": name, "similar": _similar(name, seen)} for table, name in sorted(absent)]


def _similar(name: str, seen: Collection[str]) -> str:
    return next(iter(get_close_matches(name, sorted(seen), n=1, cutoff=0.75)), "")
