"""Who uses whose data.

Question: Which tables do several services read or write, and which service made others wait for one?
Method: Calls to databases are brought to server, database and table: by db.collection.name, db.query.summary or the
    parsed statement, with your aliases and rewrites and with readers and writers of one cluster taken together. The
    owner of a table is the one you declare; else who alters it; else the one of its users that the table, its schema,
    database or server is named after; else who writes it most, or reads it most. The foreign share is the part of the
    writes (and of the reads) that is not the owner's. A join across owners is a statement that touches tables of
    several of them. A table was locked if, within seconds, most calls to it waited a fifth of a second or more and
    far longer than usual, while the server's other tables answered; a statement that alters the table, or a
    deployment, names the cause. Pairs of services are compared by how much of their use falls on the same tables
    (weighted Jaccard).
Reading: A foreign share of the writes below 1 % is fine, above 10 % strong; findings rest on the lower bound. Foreign
    reads are a warning, and worth knowing only where nobody wrote to the table in the period. To share a server, or a
    database without a common table, is never called shared data; nor is a shared cache, search index or outbox.
Needs: Ten reads or writes of a table, on three distinct days (in shorter data: in three separate stretches that make up
    a fifth of the time). 100 calls that say which table they touch before silence means anything.
False positives: Tables named after a service that does not own them: declare the owner. Databases of the same name on
    a server that no span names; poolers that hide what is behind them; reports and nightly jobs of other services,
    which are foreign use all the same; backfills that take more than two days. Not seen: triggers, foreign keys,
    database links, files and buckets without spans.
Source: Shared persistence after the microFreshener smells (Soldani et al. 2021), refined to tables that are written;
    effective writers are the inverse of Herfindahl's index; Ruzicka 1958 for pairs; intervals after Wilson 1927.
"""

from collections import defaultdict
from collections.abc import Mapping

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.datastores.contention import contentions
from tracelith.analysis.datastores.document import Ownership, datastores_document, unknown_datastores
from tracelith.analysis.datastores.facts import (
    DATASTORE_CALLS,
    DATASTORE_EXEMPLARS,
    DATASTORE_STALLS,
    SOURCE,
    observe_datastores,
)
from tracelith.analysis.datastores.findings import data_findings
from tracelith.analysis.datastores.identity import Table
from tracelith.analysis.datastores.joins import foreign_joins
from tracelith.analysis.datastores.pairs import data_pairs
from tracelith.analysis.datastores.releases import release_units
from tracelith.analysis.datastores.sharing import shared_tables
from tracelith.analysis.datastores.uses import DataUse, data_use
from tracelith.analysis.exemplars import slowest_ids
from tracelith.analysis.statistics.bootstrap import block_length_ns
from tracelith.analysis.times import DAY_NS
from tracelith.forest.view import ForestView

__all__ = ["ANALYSIS"]

MOST_EXAMPLES = 3
"""Traces per statement, of the newest days: raw spans are kept for days, facts for a year."""


def observe(view: ForestView) -> Mapping[str, pl.DataFrame]:
    """Facts about datastores, see datastores.facts."""
    return observe_datastores(view)


def conclude(evidence: Evidence) -> Conclusion:
    """The document's datastores, and findings about what is shared."""
    data = data_use(evidence)
    if not data.sources:
        return Conclusion({"datastores": unknown_datastores("no span describes a call to a datastore")})
    units = release_units(evidence)
    tables = shared_tables(data, evidence.declarations, units)
    owned = Ownership(
        data=data,
        tables=tables,
        joins=foreign_joins(data, tables, units),
        contentions=contentions(evidence, data),
        pairs=data_pairs(tables, units),
        examples=_examples(evidence, data),
    )
    return Conclusion({"datastores": datastores_document(owned)}, data_findings(owned))


def _examples(evidence: Evidence, data: DataUse) -> Mapping[tuple[str, Table], list[str]]:
    """Example traces by service and table; only of tables that several services use."""
    users: dict[Table, set[str]] = defaultdict(set)
    for source in data.sources:
        for table in source.tables:
            users[table].add(source.service)
    wanted = {source.key: source for source in data.sources if any(len(users[table]) > 1 for table in source.tables)}
    if not wanted:
        return {}
    block_ns = min(DAY_NS, block_length_ns(evidence.start_ns, evidence.end_ns))
    asked = pl.DataFrame(list(wanted), schema=dict(SOURCE), orient="row")
    by_day = evidence.facts.by_window(DATASTORE_EXEMPLARS, block_ns).join(asked, on=list(SOURCE), how="semi")
    by_day = by_day.sort("window_ns", "rank", descending=True)
    newest = by_day.group_by(list(SOURCE), maintain_order=True).head(MOST_EXAMPLES)
    ranks: dict[tuple[str, Table], list[str]] = defaultdict(list)
    for *key, rank in newest.select(*SOURCE, "rank").iter_rows():
        for source in filter(None, [wanted.get(tuple(key))]):
            for table in source.tables:
                ranks[source.service, table].append(rank)
    return {use: slowest_ids(pl.Series(found)) for use, found in ranks.items()}


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(DATASTORE_CALLS, DATASTORE_EXEMPLARS, DATASTORE_STALLS),
    observe=observe,
    conclude=conclude,
    without_evidence=lambda reason: {"datastores": unknown_datastores(reason)},
)
