"""Hidden coupling.

Question: Which services are bound to each other although neither calls the other?
Method: For every pair of services the analyses of deployments, failures, data and load have said whether it surely
    deploys together, fails together, uses tables that one of the two writes, or follows one load. Beside that stands
    whether the two call each other or send each other messages. A bond without a call or message is hidden.
Reading: Hidden coupling is what no diagram shows: two teams find out when a release or a schema change of the one
    breaks the other. Pairs that call each other and are bound by nothing else are how services should be: the call is
    the only thing to agree on.
Needs: What each of the other analyses needs; a pair is unknown if they call and nothing else could be told,
    or if one of the two sends no spans.
False positives: Load alone binds nobody. A release train moves all services, which the analysis of deployments takes
    into account. Services that fail together because both depend on a third, or on each other through others, are
    explained by it. A service that is linked to both and deployed with them is named: the change may begin there.
Source: Own; the idea that change coupling without structural coupling is the dangerous kind from Gall, Hajek and
    Jazayeri, ICSM 1998.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.components import connected_sets
from tracelith.analysis.coupling.bonds import FAMILIES, bonds_of
from tracelith.analysis.coupling.links import Links, links_of, pair_of
from tracelith.analysis.coupling.pairs import couple
from tracelith.analysis.names import listed
from tracelith.model.findings import Finding, Severity, State

__all__ = ["ANALYSIS"]

RULE = "hidden-coupling"

MOST_NAMES = 4

_WAYS = {"deploy": "deploy together", "failure": "fail together", "data": "use tables that one of them writes"}
_COLUMNS = {"deploy": "deploys", "failure": "fails", "data": "data"}


def conclude(evidence: Evidence) -> Conclusion:
    """The document's coupling, and a finding for each set of services that are bound without a call."""
    concluded = evidence.concluded
    links, bonds = links_of(concluded), bonds_of(concluded)
    services = {row["service"] for row in concluded.get("quality", {}).get("service_list", ())}
    services |= {name for pair in (*links.calls, *links.messages) for name in pair}
    if not services:
        return Conclusion(without_evidence("no services in this period"))
    told = {family: bonds.told(family) for family in FAMILIES}
    if not any(told[family] for family in ("deploy", "failure", "data")):
        reason = "nothing is known yet of deployments, failures or data that two services could share"
        return Conclusion(without_evidence(reason))
    coupling = couple(services, links, bonds)
    part = {
        "pairs": coupling.pairs,
        "counts": coupling.counts,
        "evidence": told,
        "status": str(State.OK),
        "reason": "",
    }
    return Conclusion(
        {"coupling": part}, tuple(_findings([row for row in coupling.pairs if row["label"] == "hidden"], links))
    )


def _findings(hidden: Sequence[Mapping[str, Any]], links: Links) -> Iterator[Finding]:
    """One for each set of services that hidden pairs hold together: a group of eight is one matter, not 28."""
    names = list(dict.fromkeys(name for row in hidden for name in (row["a"], row["b"])))
    for members in connected_sets(names, [(row["a"], row["b"]) for row in hidden]):
        yield _finding(members, [row for row in hidden if row["a"] in members], links)


def _finding(members: tuple[str, ...], pairs: Sequence[Mapping[str, Any]], links: Links) -> Finding:
    strongest = pairs[0]
    subjects = tuple(dict.fromkeys((strongest["a"], strongest["b"], *members)))
    ways = [way for family, way in _WAYS.items() if any(family in row["families"] for row in pairs)]
    together = " and ".join(ways)
    chain = links.chain(pair_of(*members)) if len(members) == 2 else None
    if chain:
        title = (
            f"{members[0]} and {members[1]} {together}, although {chain[0]} reaches {chain[2]} only through {chain[1]}"
        )
    elif len(members) == 2:
        title = f"{members[0]} and {members[1]} {together}, although neither calls the other"
    else:
        title = f"{_named(subjects)}: {_pairs_of(pairs)}, although these never call each other"
    family = strongest["families"][0]
    return Finding(
        rule=RULE,
        severity=Severity.WARNING,
        subjects=subjects,
        title=title,
        metric={
            "name": f"how surely {strongest['a']} and {strongest['b']} {_WAYS[family]}, lower bound",
            "value": strongest[_COLUMNS[family]],
            "ci": None,
            "unit": "",
            "n": len(pairs),
            "reading": "0 is what chance and calendar explain, 1 is always; no call or message between them shows it",
        },
        advice=_advice(chain, strongest["reason"]),
        evidence={
            "trace_ids": [],
            "pairs": [{name: row[name] for name in ("a", "b", "families", "reason")} for row in pairs],
            "through": chain[1] if chain else None,
        },
    )


def _pairs_of(pairs: Sequence[Mapping[str, Any]]) -> str:
    """How many of the pairs do what together; what binds one pair need not bind another."""
    numbers = {way: sum(family in row["families"] for row in pairs) for family, way in _WAYS.items()}
    return " and ".join(_pairs_that(way, number) for way, number in numbers.items() if number)


def _pairs_that(way: str, number: int) -> str:
    verb, _, rest = way.partition(" ")
    return f"{number} pairs {way}" if number > 1 else f"1 pair {verb}s {rest}"


def _advice(chain: tuple[str, str, str] | None, reason: str) -> str:
    why = f" ({reason})" if reason else ""
    if chain:
        caller, middle, callee = chain
        return (
            f"Look at what {middle} hands on between {caller} and {callee}{why}: a field or a format that all of them "
            f"know must change in all of them at once. Let {middle} translate it, or merge what changes together."
        )
    return (
        f"Find what they have in common{why}: a library, a table, a configuration or a person. "
        "Give it to one of them and let the other ask, or merge what cannot be told apart."
    )


def _named(names: Sequence[str]) -> str:
    return listed(names, MOST_NAMES, first=MOST_NAMES - 1)


def without_evidence(reason: str) -> dict[str, Any]:
    """The part when nothing can be said."""
    state = str(State.INSUFFICIENT_DATA)
    return {"coupling": {"pairs": [], "counts": {}, "evidence": {}, "status": state, "reason": reason}}


ANALYSIS = Analysis.define(
    __name__,
    __doc__,
    fact_tables=(),
    conclude=conclude,
    without_evidence=without_evidence,
    after_others=True,
)
