"""How failures travel."""

from collections.abc import Iterator

from tracelith.evaluate.claims import Claim, edge_subject, entry_subject, pair_subject
from tracelith.evaluate.our_claims.reading import Reading, estimate

__all__ = ["failure_claims"]


def failure_claims(reading: Reading) -> Iterator[Claim]:
    """Dependencies, cascades, storms, waiting, radii and availability."""
    for edge in reading.rows("failures", "edges"):
        if edge["callee_kind"] == "service":
            subject, kind = edge_subject(edge["caller"], edge["callee"]), edge["dependency"]
            yield Claim("hard-dependency", subject, claimed=None if kind == "unknown" else kind == "hard")
            yield estimate("propagation-power", subject, edge["power"])
    for service in reading.rows("failures", "services"):
        yield estimate("blast-radius", service["service"], service["radius"])
    for entry in reading.rows("failures", "entries"):
        subject = entry_subject(entry["service"], entry["operation"])
        yield estimate("availability", subject, entry["availability"])
        yield estimate("hidden-errors", subject, entry["hidden_errors"])
    for rule in ("failure-cascade", "retry-storm", "missing-timeout"):
        yield from (Claim(rule, subjects[0], claimed=True) for subjects in reading.told(rule))
    for pair in reading.rows("failures", "pairs"):
        yield Claim("failing-together", pair_subject(pair["a"], pair["b"]), claimed=pair["coupled"])
