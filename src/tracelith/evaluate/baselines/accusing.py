"""How a baseline's accusations become claims: one about each subject, and one that is a false alarm if all is well."""

import polars as pl

from tracelith.evaluate.claims import Claim, pair_subject

__all__ = ["alarm", "pair_claims"]


def pair_claims(rule: str, pairs: pl.DataFrame) -> list[Claim]:
    """Claims that these pairs of services are deployed together, and whether that accuses the system at all.

    Args:
        rule: under which name the accusation counts on healthy systems.
        pairs: columns a and b, one row per accused pair.
    """
    subjects = [pair_subject(a, b) for a, b in pairs.select("a", "b").iter_rows()]
    claims = [Claim("codeployment-pair", subject, claimed=True) for subject in subjects]
    return [*claims, alarm(rule, accused=bool(claims))]


def alarm(rule: str, *, accused: bool) -> Claim:
    """Whether the system is accused under this rule; told either way, so that alarms have a denominator."""
    return Claim("alarm", rule, claimed=accused)
