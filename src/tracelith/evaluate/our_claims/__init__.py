"""What Tracelith itself says: claims and estimates read from the analysis document, as any script would read them."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from tracelith.evaluate.claims import Claim, Evidence, Method
from tracelith.evaluate.detectors import DETECTORS, RULES
from tracelith.evaluate.our_claims.data import data_claims
from tracelith.evaluate.our_claims.deployments import deployment_claims
from tracelith.evaluate.our_claims.failures import failure_claims
from tracelith.evaluate.our_claims.queues import queue_claims
from tracelith.evaluate.our_claims.reading import Reading
from tracelith.evaluate.our_claims.requests import request_claims
from tracelith.evaluate.our_claims.shape import coupling_claims, scaling_claims, structure_claims

__all__ = ["TRACELITH"]

Reader: TypeAlias = Callable[[Reading], Iterator[Claim]]

_READERS: tuple[Reader, ...] = (
    request_claims,
    deployment_claims,
    data_claims,
    failure_claims,
    queue_claims,
    structure_claims,
    scaling_claims,
    coupling_claims,
)


def _judge(evidence: Evidence) -> list[Claim]:
    reading = Reading(evidence.document)
    return [*(claim for read in _READERS for claim in read(reading)), *_alarms(reading)]


def _alarms(reading: Reading) -> Iterator[Claim]:
    """One claim for each rule, known or not, and whether it accuses anybody."""
    raised = {finding["rule"] for finding in reading.accused}
    for rule in dict.fromkeys((*RULES, *sorted(raised))):
        yield Claim("alarm", rule, claimed=rule in raised)


TRACELITH = Method(
    name="tracelith",
    title="Tracelith",
    explanation="What `tracelith analyze` prints for the same spans and deployments.",
    detectors=tuple(one.name for one in DETECTORS if one.name != "shared-datastore"),
    judge=_judge,
)
