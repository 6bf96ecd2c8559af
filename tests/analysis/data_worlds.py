"""Traces spread over days, and what the analysis of data ownership says of them."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from tracelith.analysis import codeployment, data_ownership
from tracelith.analysis.running.engine import Engine
from tracelith.model.declarations import Declarations
from tracelith.model.schema import DEPLOYMENT, InternedBatch
from tracelith.store import Store
from traces import START_NS, window_of

DAY_NS = 86_400_000_000_000
HOUR_NS = DAY_NS // 24

DAYS = range(0, 7 * 24, 24)
"""An hour of each of seven days."""

Spread = tuple[str, Iterable[int]]
"""Traces as text, and the hours after START_NS at which each of them happens."""


def data_document(
    *spread: Spread, copies: int = 4, days: int = 7, deployed: tuple[str, str, float] | None = None, **declared: Any
) -> dict[str, Any]:
    """The document of these traces; declared are fields of Declarations, deployed service, version and hour."""
    declarations = Declarations(**declared)
    with Store.open(None) as store:
        engine = Engine(store, [codeployment.ANALYSIS, data_ownership.ANALYSIS], declarations=lambda: declarations)
        for part, (text, hours) in enumerate(spread):
            store.append([_spread(text, list(hours), part, copies)])
        if deployed is not None:
            service, version, hour = deployed
            at_ns = START_NS + round(hour * HOUR_NS)
            told = [(service, "", version, at_ns, at_ns, "csv")]
            store.add_deployments(pl.DataFrame(told, schema=DEPLOYMENT, orient="row"))
        engine.analyse_stale()
        document = dict(engine.conclude(None, START_NS - HOUR_NS, START_NS + days * DAY_NS))
    errors = [one["error"] for one in document["analyses"] if one["error"]]
    assert not errors, errors
    return document


def _spread(text: str, hours: list[int], part: int, copies: int) -> InternedBatch:
    one = window_of(text, copies=copies)
    moved = [
        one.spans.with_columns(
            (pl.col("trace_hi") + 1_000 * part + number).cast(pl.UInt64),
            pl.col("start_ns") + hour * HOUR_NS,
            (pl.col("resource") + 1_000 * part).cast(pl.UInt32),
            (pl.col("operation") + 1_000 * part).cast(pl.UInt32),
        )
        for number, hour in enumerate(hours)
    ]
    texts = (
        frame.with_columns((pl.col(code) + 1_000 * part).cast(pl.UInt32))
        for frame, code in ((one.resources, "resource"), (one.operations, "operation"))
    )
    return InternedBatch(pl.concat(moved), one.links, *texts)


def table_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The only table of that name."""
    (found,) = [row for row in document["datastores"]["tables"] if row["table"] == name]
    return dict(found)


def rules_of(document: dict[str, Any], *, accusing: bool = False) -> list[str]:
    """Rules of the findings about data, worst first; only those that accuse, if told so."""
    rules = ("foreign-write", "foreign-read", "cross-owner-join", "lock-contention")
    return [
        one["rule"]
        for one in document["findings"]
        if one["rule"] in rules and not (accusing and one["severity"] == "info")
    ]


def asks(
    service: str, statement: str, *, namespace: str = "shop.public", peer: str = "shop-db:5432", more: str = ""
) -> str:
    """A trace in which a service asks its database for something."""
    words = statement.replace(" ", "+")
    database = f"db=postgresql namespace={namespace} statement={words} {f'peer={peer}' if peer else ''} {more}"
    return f"{service} SERVER GET /{service} 0..30ms\n  {service} CLIENT {words} 5..9ms {database}\n"


def system(*traces: str) -> str:
    """Several traces as one text."""
    return "\n---\n".join(traces)
