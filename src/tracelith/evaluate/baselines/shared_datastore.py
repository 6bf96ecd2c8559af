"""The rule for shared persistence: a datastore that more than one service calls.

Definition: every datastore node with more than one distinct caller has the smell, whatever the callers do there. A node
is a database as it is deployed, with all schemas and tables in it: of the name ``postgresql shop.orders`` what stands
before the dot.

Thresholds: more than one caller, the authors' own.

What it gets wrong: callers of one database need not share data: a schema of its own for each service is a matter of
cost, and a border that can be kept. Caches and search replicas that many read, and a migration that passes once a
quarter, count like two services that write the same table. And one database behind several names (a proxy, a reader's
address) is missed.

Source: J. Soldani et al., microFreshener (sniffer for shared persistence), after D. Neri, J. Soldani, O. Zimmermann,
A. Brogi, Design principles, architectural smells and refactorings for microservices (2020); D. Taibi, V. Lenarduzzi,
On the definition of microservice bad smells, IEEE Software 35 (2018). There nodes come from deployment descriptions,
here from the calls in traces.
"""

import polars as pl

from tracelith.evaluate.baselines.accusing import alarm
from tracelith.evaluate.claims import Claim, Evidence, Method

__all__ = ["METHOD", "datastore_callers"]


def datastore_callers(spans: pl.DataFrame) -> pl.DataFrame:
    """Columns datastore (its name in the evidence) and callers (distinct services of the whole database); sorted."""
    calls = spans.filter(pl.col("peer_kind") == "datastore").select("service", datastore="peer")
    node = pl.col("datastore").str.split(".").list.first()
    counted = calls.unique().with_columns(callers=pl.col("service").n_unique().over(node).cast(pl.Int64))
    return counted.select("datastore", "callers").unique().sort("datastore")


def _judge(evidence: Evidence) -> list[Claim]:
    if evidence.spans.is_empty():
        return []
    called = datastore_callers(evidence.spans)
    claims = [Claim("shared-datastore", name, claimed=callers > 1) for name, callers in called.iter_rows()]
    return [*claims, alarm("shared-datastore", accused=any(claim.claimed for claim in claims))]


METHOD = Method(
    name="shared-datastore",
    title="Datastore with more than one caller",
    explanation=(
        "It asks who calls and not who shares: services with schemas of their own in one database, and many readers of "
        "one cache, count like two writers of one table."
    ),
    detectors=("shared-datastore", "alarm"),
    judge=_judge,
    needs_spans=True,
)
