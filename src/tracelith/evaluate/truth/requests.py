"""How deep and how slow requests really are, and where slow ones spend their time."""

from tracelith.evaluate.claims import Truth, entry_subject
from tracelith.simulate import Simulation

__all__ = ["request_truths"]

DEEP_HOPS = 3


def request_truths(simulation: Simulation) -> list[Truth]:
    """Depths as the description has them."""
    truths = []
    for entry in simulation.truth["entry_operations"]:
        subject, hops = entry_subject(entry["service"], entry["operation"]), entry["awaited_hops"]
        truths.append(Truth("depth-max", subject, value=float(hops)))
        if hops < DEEP_HOPS:
            truths.append(Truth("deep-chain", subject, positive=False))
    return truths
