"""Findings about failures, but for cascades: what is told, at which bound, and how severe it is."""

from collections.abc import Mapping, Sequence

from tracelith.analysis.failures.entries import Availability
from tracelith.analysis.failures.observed import Observed
from tracelith.analysis.failures.radius import Radius
from tracelith.analysis.failures.retrying import STORM, Retries
from tracelith.analysis.failures.stretches import Stretch
from tracelith.analysis.failures.together import FailurePair, failure_groups, longest_in_common
from tracelith.analysis.failures.waiting import UNBOUNDED_MS, Waiting
from tracelith.analysis.shares import percent
from tracelith.analysis.times import iso_time
from tracelith.model.findings import Estimate, Finding, Severity

__all__ = [
    "chain_findings",
    "hidden_findings",
    "radius_findings",
    "storm_findings",
    "together_findings",
    "wait_findings",
]

HIDDEN_SHARE = 0.05
"""Of successful requests, lower bound. Uber saw 0.29 in the mean of 1,900 endpoints (metrics.md §9.2)."""

HARD_CHAIN = 3
"""Hard dependencies from which on a chain is told: with as many nines each, it fails four times as often as one."""

LARGE_RADIUS, FAR = 0.5, 2
"""Share of all requests from outside, lower bound, and awaited calls from the door. Whoever is asked by the entry
service itself, a catalogue or a login, is expected to matter."""

_EXAMPLES = 3

Examples = Mapping[tuple[str, str], list[str]]


def chain_findings(entries: Sequence[Availability], felled: Examples) -> list[Finding]:
    """Entry operations that surely need several others to succeed.

    Args:
        felled: examples by caller and callee; the last of the chain shows most of it.
    """
    examples = {callee: ids for (_, callee), ids in felled.items()}
    told = [one for one in entries if len(one.hard) >= HARD_CHAIN and one.serial is not None]
    return [
        Finding(
            rule="hard-dependency-chain",
            severity=Severity.INFO,
            subjects=(f"{one.service} {one.operation}", *one.hard),
            title=f"{one.service} {one.operation} cannot do without {len(one.hard)} others",
            metric={
                "name": "availability it can have at most",
                "value": one.serial,
                "ci": None,
                "unit": "share",
                "n": one.requests,
                "reading": "the product of the availability of its own service and of all it cannot do without",
            },
            advice="Each part needs to be better than the whole is meant to be: for 99.9 % with five of them, 99.98 % "
            "each. Let it answer without those that matter least, or keep what it always needs in one place.",
            evidence={"trace_ids": examples.get(one.hard[-1], [])[:_EXAMPLES]},
        )
        for one in told
    ]


def hidden_findings(entries: Sequence[Availability], examples: Examples) -> list[Finding]:
    """Entry operations whose successful requests often hide a failure."""
    told = [one for one in entries if one.hidden.low is not None and one.hidden.low >= HIDDEN_SHARE]
    return [
        Finding(
            rule="hidden-errors",
            severity=Severity.INFO,
            subjects=(f"{one.service} {one.operation}",),
            title=f"{percent(one.hidden.value or 0.0)} of the successful {one.service} {one.operation} requests hide "
            "a failure",
            metric=_metric(
                "share of successful requests with a failure inside",
                one.hidden,
                "share",
                "0 is best; nobody outside sees these, but they cost time and are the first sign of what fails next",
            ),
            advice="Look at what fails in the examples: either it matters, and somebody should hear of it, or it does "
            "not, and need not be called.",
            evidence={"trace_ids": examples.get((one.service, one.operation), [])[:_EXAMPLES]},
        )
        for one in told
    ]


def radius_findings(radii: Sequence[Radius], observed: Mapping[str, Observed], origins: set[str]) -> list[Finding]:
    """Services far from the door that surely take most requests with them; a warning where they did.

    Args:
        observed: with examples, by service. origins: of cascades.
    """
    findings = []
    for one in radii:
        low, seen = one.radius.low, observed.get(one.node)
        if one.kind != "service" or low is None or low < LARGE_RADIUS or one.hops < FAR:
            continue
        share = one.radius.value if one.radius.value is not None else low
        findings.append(
            Finding(
                rule="large-blast-radius",
                severity=Severity.WARNING if one.node in origins else Severity.INFO,
                subjects=(one.node, *one.failing_with_it),
                title=f"If {one.node} fails, {percent(share)} of all requests fail with it",
                metric=_metric(
                    "share of all requests that fail with it",
                    one.radius,
                    "share",
                    "0 is nobody outside notices, 1 is nothing works; the lower end of the interval decides",
                ),
                advice=f"Find what can be answered without {one.node}, beginning with the operations that lose most; "
                "what cannot should not be several calls away.",
                evidence={"trace_ids": list(seen.trace_ids) if seen else [], "hops": one.hops},
            )
        )
    return findings


def storm_findings(retries: Sequence[Retries]) -> list[Finding]:
    """Retries that multiply; each layer of a storm is told, as each is where it can be ended."""
    return [
        Finding(
            rule="retry-storm",
            severity=Severity.WARNING,
            subjects=(one.edge, *one.stacked_on),
            title=_storm_title(one),
            metric={
                "name": "attempts per call in trouble",
                "value": one.product,
                "ci": None,
                "unit": "",
                "n": one.calls,
                "reading": f"1 is no retry, 2 one for each call; told above {STORM:g}, or when layers multiply to 2",
            },
            advice="Retry in one place only, at most once or twice, with a budget for the whole service (a tenth of "
            "its calls) and growing pauses; who is down needs fewer calls, not more.",
            evidence={"trace_ids": list(one.trace_ids)[:_EXAMPLES], "amplification": one.amplification.value},
        )
        for one in retries
        if one.storm
    ]


def _storm_title(one: Retries) -> str:
    if one.stacked_on and one.product > one.in_trouble:
        return (
            f"Retries multiply: {one.edge} makes {one.in_trouble:.1f} attempts per call in trouble, and with "
            f"{' and '.join(one.stacked_on[:2])} up to {one.product:.1f}"
        )
    return f"{one.edge} makes {one.in_trouble:.1f} attempts per call in trouble"


def wait_findings(waits: Sequence[Waiting]) -> list[Finding]:
    """Callers that wait for very long without giving up."""
    return [
        Finding(
            rule="missing-timeout",
            severity=Severity.INFO,
            subjects=(f"{one.caller} → {one.callee}",),
            title=f"{one.caller} waits for {one.callee} for {one.longest_ms / 1000:.0f} s and does not give up",
            metric={
                "name": "longest call",
                "value": one.longest_ms,
                "ci": None,
                "unit": "ms",
                "n": one.calls,
                "reading": f"calls beyond {UNBOUNDED_MS / 1000:.0f} s that were not cut off: whoever asked has left",
            },
            advice=f"Give the call a limit somewhat above what {one.callee} takes on its slow days, unless it is work "
            "that nobody waits for.",
            evidence={"trace_ids": [], "calls": one.endless},
        )
        for one in waits
        if one.label == "unbounded"
    ]


def together_findings(
    pairs: Sequence[FailurePair], stretches: Mapping[str, Sequence[Stretch]], examples: Mapping[str, Observed]
) -> list[Finding]:
    """Services that fail together on their own account: one finding per group.

    Args:
        pairs: tested. stretches: in which they failed, by service. examples: by service.
    """
    by_names = {(pair.a, pair.b): pair for pair in pairs if pair.coupled}
    findings = []
    for group in failure_groups(pairs):
        inside = [pair for names, pair in by_names.items() if set(names) <= set(group)]
        surest = min(inside, key=lambda pair: (pair.q_value, -(pair.overlap.value or 0.0)))
        seen = examples.get(surest.a)
        start_ns, end_ns = longest_in_common(stretches[surest.a], stretches[surest.b])
        # One common trouble is beyond chance, but may have been the only one: worth knowing, no accusation.
        once = max(pair.coinciding for pair in inside) < 2
        told = "once failed" if once else "fail"
        findings.append(
            Finding(
                rule="failing-together",
                severity=Severity.INFO if once else Severity.WARNING,
                subjects=group,
                title=f"{_named(group)} {told} in the same minutes, each on its own account",
                metric=_metric(
                    "share of the bad minutes of the one that are the other's too",
                    surest.overlap,
                    "share",
                    f"{percent(surest.expected)} would be so by chance; of the surest pair of "
                    f"{len(inside)}, {surest.coinciding} of whose troubles began together",
                ),
                advice="None of them fails because of another: look for what they share, a database server, a host, a "
                "zone, a configuration or a release.",
                evidence={
                    "trace_ids": list(seen.trace_ids) if seen else [],
                    "q_value": surest.q_value,
                    "occurrences": surest.coinciding,
                    "start": iso_time(start_ns),
                    "end": iso_time(end_ns),
                },
            )
        )
    return findings


def _named(group: Sequence[str]) -> str:
    if len(group) <= 3:
        return f"{', '.join(group[:-1])} and {group[-1]}"
    return f"{', '.join(group[:2])} and {len(group) - 2} more services"


def _metric(name: str, estimate: Estimate, unit: str, reading: str) -> dict[str, object]:
    ci = None if estimate.low is None or estimate.high is None else [estimate.low, estimate.high]
    return {"name": name, "value": estimate.value, "ci": ci, "unit": unit, "n": estimate.n, "reading": reading}
