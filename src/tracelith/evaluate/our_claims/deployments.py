"""Pairs that are deployed together, and lockstep."""

from collections.abc import Iterator
from itertools import combinations

from tracelith.evaluate.claims import Claim, pair_subject
from tracelith.evaluate.our_claims.reading import Reading, estimate
from tracelith.evaluate.truth.deployments import directed_subject

__all__ = ["deployment_claims"]


def deployment_claims(reading: Reading) -> Iterator[Claim]:
    """Pairs and the system."""
    yield from _pair_claims(reading)
    yield from _lockstep_claims(reading)


def _pair_claims(reading: Reading) -> Iterator[Claim]:
    told = {
        pair_subject(*pair)
        for finding in reading.accused
        if finding["rule"] in ("codeployment-pair", "codeployment-group")
        for pair in combinations(finding["subjects"], 2)
    }
    for subject in sorted(told):
        yield Claim("codeployment-pair", subject, claimed=True)
    for pair in reading.document["codeployment"]["pairs"]:
        subject = pair_subject(pair["a"], pair["b"])
        if subject not in told:
            yield Claim("codeployment-pair", subject, claimed=None if pair["label"] == "untested" else False)
        if pair["rate"] is not None:
            given = pair["a"] if pair["rate_of"] == pair["b"] else pair["b"]
            directed = directed_subject(pair["rate_of"], given)
            yield Claim("codeployment-rate", directed, None, pair["rate"], *pair["rate_ci"])
            yield Claim("codeployment-excess", directed, None, pair["excess"], pair["excess_low"], pair["excess_high"])


def _lockstep_claims(reading: Reading) -> Iterator[Claim]:
    system = reading.document["codeployment"]["system"]
    known = system["lockstep_excess"]["value"] is not None
    raised = any(finding["rule"] == "system-lockstep" for finding in reading.accused)
    yield Claim("lockstep", "system", claimed=raised if known else None)
    yield estimate("solo-rate", "system", system["solo_rate"])
    yield estimate("lockstep-excess", "system", system["lockstep_excess"])
