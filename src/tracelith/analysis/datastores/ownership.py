"""Whose table it is: declared, or told by who alters it, what it is called, who writes it, who reads it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tracelith.analysis.datastores.identity import Table
from tracelith.analysis.datastores.uses import TableUse, UsedTable
from tracelith.analysis.statistics.intervals import wilson
from tracelith.model.declarations import Declarations

__all__ = ["Owner", "OwnerBy", "owner_of"]

OwnerBy = Literal["declared", "migrations", "name", "writes", "reads", "unknown"]

MAIN_SHARE = 0.5
"""A service is the main writer (or reader) if its share is surely larger than that of all others together."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_GENERIC = frozenset((
    "service", "services", "svc", "api", "app", "application", "server", "backend", "worker", "db", "database",
    "databases", "postgres", "mysql", "mongo", "pg", "store", "data", "schema", "public", "dbo", "tbl", "table", "ms",
    "prod", "production", "internal",
))  # fmt: skip
"""Words that say what a thing is, not what it is about."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The service a table belongs to, None if nothing tells, and how that is known."""

    service: str | None
    by: OwnerBy


def owner_of(used: UsedTable, declarations: Declarations) -> Owner:
    """The owner of a table.

    What is declared counts. Else who uses and alters the table owns it: nobody else could deploy without asking. Else
    the one of its users that it is named after, or that its schema, database or server is named after: a stranger may
    well write more, or alone, and that is what is looked for. Then the main writer; then, where nobody writes, the main
    reader that does not join it to something else.
    """
    declared = _declared(used, declarations.table_owners)
    if declared is not None:
        return Owner(declared, "declared")
    if len(used.uses) == 1:
        use = used.uses[0]
        return Owner(use.service, "writes" if use.writes or use.defines else "reads")
    defining = [use.service for use in used.uses if use.defines and (use.reads or use.writes)]  # no mere tool
    if len(defining) == 1:
        return Owner(defining[0], "migrations")
    named = _namesake(used.table, [use.service for use in used.uses])
    if named is not None:
        return Owner(named, "name")
    if used.writes:
        # A backfill may be most of what was written in a week; only if nobody writes as a habit does it count.
        writing = [use for use in used.uses if use.writes_regularly] or used.uses
        main = _main(writing, lambda use: use.writes)
        return Owner(main, "writes" if main else "unknown")
    main = _main(used.uses, lambda use: use.reads - use.joined)
    return Owner(main, "reads" if main else "unknown")


def _declared(used: UsedTable, owners: Mapping[str, str]) -> str | None:
    table = used.table
    schema = table.namespace.rpartition(".")[2]
    names = (table.name, f"{schema}.{table.table}", table.table)
    folded = {name.lower(): owner for name, owner in owners.items()}
    owner = next((folded[name.lower()] for name in names if name.lower() in folded), None)
    if owner is None:
        return None
    # Services may be declared without their namespace.
    known = [use.service for use in used.uses]
    short = [name for name in known if name.rpartition("/")[2] == owner]
    return short[0] if owner not in known and len(short) == 1 else owner


def _main(uses: Sequence[TableUse], count: Callable[[TableUse], int]) -> str | None:
    counts = [max(count(use), 0) for use in uses]
    total, most = sum(counts), max(counts)
    if not total or float(wilson(most, total)[0]) <= MAIN_SHARE:
        return None
    return uses[counts.index(most)].service


def _namesake(table: Table, services: Sequence[str]) -> str | None:
    """The one service that the table, or else its schema, database or server, is named after."""
    database, _, schema = table.namespace.rpartition(".")
    host = re.sub(r":\d+$", "", table.server).partition(".")[0]
    for name, whole in ((table.table, False), (schema, True), (database, True), (host, True)):
        words = _about(name)
        fits = {service: len(own) for service in services if (own := _about(service)) and _fits(own, words, whole)}
        longest = [service for service, length in fits.items() if length == max(fits.values())]
        if len(longest) == 1:
            return longest[0]
    return None


def _fits(own: tuple[str, ...], words: tuple[str, ...], whole: bool) -> bool:
    """Whether a name begins with the service's words (``order_lines`` is about order), or is nothing else."""
    return own == words if whole else own == words[: len(own)]


def _about(name: str) -> tuple[str, ...]:
    """The stems of the words of a name, those left out that any name may have."""
    words = (word.lower() for word in _WORDS.findall(name.rpartition("/")[2]))
    return tuple(_stem(word) for word in words if word not in _GENERIC)


def _stem(word: str) -> str:
    """The same for a word and its plural: orders, addresses, categories, warehouses."""
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith("s") and not word.endswith(("ss", "us")) and len(word) > 3:
        word = word[:-1]
    return word.removesuffix("e")
