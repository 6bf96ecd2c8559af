"""Layers, chatter, cycles, scaling, and what is bound without a call."""

from collections.abc import Iterator

from tracelith.evaluate.claims import Claim, cycle_subject, layers_subject, pair_subject
from tracelith.evaluate.our_claims.reading import Reading

__all__ = ["coupling_claims", "scaling_claims", "structure_claims"]


def structure_claims(reading: Reading) -> Iterator[Claim]:
    """Who only hands on, who talks too much, who is asked back, who stands out, and whether there are too many."""
    told = {subjects[0] for subjects in reading.told("pass-through-service")}
    yield from (Claim("pass-through", service, claimed=True) for service in sorted(told))
    for service in reading.rows("layers", "services"):
        if service["service"] not in told and service["label"] == "unknown":
            yield Claim("pass-through", service["service"])
    for subjects in reading.told("layer-split"):
        yield Claim("layer-split", layers_subject(subjects), claimed=True)
    for subjects in reading.told("chatty-calls"):
        yield Claim("chatty", f"{subjects[0]} → {subjects[1]}", claimed=True)
    for subjects in reading.told("call-cycle"):
        yield Claim("call-cycle", cycle_subject(subjects), claimed=True)
    yield from _out_of_proportion(reading)
    known = reading.document.get("structure", {}).get("size", {}).get("label", "unknown") != "unknown"
    many = bool(reading.told("too-many-services"))
    yield Claim("too-many-services", "system", claimed=many if known or many else None)


def _out_of_proportion(reading: Reading) -> Iterator[Claim]:
    """Hubs and sizes; of a service with few requests nobody knows how large it is."""
    unknown = [shape["service"] for shape in reading.rows("structure", "services") if shape["size"] == "unknown"]
    for rule in ("hub-service", "mega-service", "nano-service"):
        yield from (Claim(rule, subjects[0], claimed=True) for subjects in reading.told(rule))
        if rule != "hub-service":
            yield from (Claim(rule, service) for service in unknown)


def scaling_claims(reading: Reading) -> Iterator[Claim]:
    """Pairs that were compared; between the two answers lies none."""
    for pair in reading.rows("scaling", "pairs"):
        subject, label = pair_subject(pair["a"], pair["b"]), pair["label"]
        known = label in ("same_axis", "own_axis")
        yield Claim("same-axis", subject, claimed=label == "same_axis" if known else None)
        yield Claim("own-axis", subject, claimed=label == "own_axis" if known else None)


def coupling_claims(reading: Reading) -> Iterator[Claim]:
    """Every pair that is listed; findings tell of sets of services that such pairs connect."""
    for pair in reading.rows("coupling", "pairs"):
        hidden = None if pair["label"] == "unknown" else pair["label"] == "hidden"
        yield Claim("hidden-coupling", pair_subject(pair["a"], pair["b"]), claimed=hidden)
