"""Each pair of services: bound and linked, bound without a link (hidden), linked and free, or neither."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tracelith.analysis.coupling.bonds import FAMILIES, Bonds
from tracelith.analysis.coupling.links import Links, Pair

__all__ = ["MOST_PAIRS", "Coupling", "couple"]

MOST_PAIRS = 500
"""Pairs in the document."""

BINDING = ("deploy", "failure", "data")
"""What two services cannot be free of each other with. A load that both follow binds neither."""


@dataclass(frozen=True, slots=True)
class Coupling:
    """All pairs.

    Attributes:
        pairs: documents, hidden ones first. counts: pairs by label, those of none too.
    """

    pairs: list[dict[str, Any]]
    counts: dict[str, int]


def couple(services: Collection[str], links: Links, bonds: Bonds) -> Coupling:
    """Every pair of these services, and what binds them to others that send no spans.

    Only pairs that something links or binds are looked at; the others are counted.

    Args:
        services: that are seen in traces. Whom others call is not known.
        links, bonds: of any services.
    """
    known = set(services)
    candidates = {*links.calls, *links.messages, *(pair for told in bonds.strength.values() for pair in told)}
    rows = [_pair(pair, links, bonds) for pair in sorted(candidates) if known.issuperset(pair)]
    counts = Counter(row["label"] for row in rows)
    counts["none"] += sum(1 for _ in combinations(known, 2)) - len(rows)
    silent = [_silent(pair, known, links, bonds) for pair in sorted(candidates) if not known.issuperset(pair)]
    bound = [row for row in silent if row["families"]]
    counts["unknown"] += len(bound)
    rows += bound
    shown = [row for row in rows if row["label"] != "none"]
    shown.sort(key=_most_telling)
    return Coupling(shown[:MOST_PAIRS], {label: number for label, number in sorted(counts.items()) if number})


def _pair(pair: Pair, links: Links, bonds: Bonds) -> dict[str, Any]:
    families, kind = bonds.bound(pair), links.kind(pair)
    told = {family: bonds.of(family, pair) for family in FAMILIES}
    third = links.shared(pair) if kind == "none" and _only_fails(families) else None
    return {
        "a": pair[0],
        "b": pair[1],
        "calls": links.number(pair),
        "linked_by": "others" if third else kind,
        "deploys": told["deploy"],
        "fails": told["failure"],
        "data": told["data"],
        "scales": told["scale"],
        "families": families,
        "label": _label(families, kind, third, told),
        "reason": _reason(pair, links, bonds, families, third),
    }


def _silent(pair: Pair, known: Collection[str], links: Links, bonds: Bonds) -> dict[str, Any]:
    """A pair of which one at least sends no spans: that no call was seen says nothing."""
    unseen = " and ".join(name for name in pair if name not in known)
    return _pair(pair, links, bonds) | {"label": "unknown", "reason": f"no spans of {unseen} came"}


def _only_fails(families: list[str]) -> bool:
    """Failing together alone is explained by whatever both depend on; deployments and tables are not."""
    return "failure" in families and not {"deploy", "data"}.intersection(families)


def _label(families: list[str], kind: str, third: str | None, told: Mapping[str, float | None]) -> str:
    binding = [family for family in BINDING if family in families]
    if binding:
        return "open" if kind != "none" or third else "hidden"
    if kind == "none":
        return "none"
    return "calls_only" if any(told[family] is not None for family in BINDING) else "unknown"


def _reason(pair: Pair, links: Links, bonds: Bonds, families: list[str], third: str | None) -> str:
    told = []
    if third:
        told.append(f"both depend on {third}" if third not in pair else f"one reaches {third} through others")
    if "data" in families:
        tables = bonds.tables.get(pair, [])
        more = f" and {len(tables) - 3} more" if len(tables) > 3 else ""
        told.append(f"they share {', '.join(tables[:3])}{more}")
    if "deploy" in families and links.kind(pair) == "none":
        between = [name for name in links.between(pair) if _goes_along(name, pair, bonds)]
        if between:
            told.append(f"{between[0]} is linked to both and is deployed with them")
    return "; ".join(told)


def _goes_along(service: str, pair: Pair, bonds: Bonds) -> bool:
    return all((bonds.of("deploy", tuple(sorted((service, one)))) or 0.0) > 0 for one in pair)  # type: ignore[arg-type]  # two names


def _most_telling(row: Mapping[str, Any]) -> tuple[int, int, float, str, str]:
    rank = ("hidden", "open", "unknown", "calls_only").index(row["label"])
    strongest = max((row[name] or 0.0 for name in ("deploys", "fails", "data")), default=0.0)
    return rank, -len(row["families"]), -strongest, row["a"], row["b"]
