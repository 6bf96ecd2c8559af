"""What to tell about services that deploy together: pairs, groups, the whole system."""

from typing import Any

import numpy as np

from tracelith.analysis.deployments.coincidence import DELTA_NS
from tracelith.analysis.deployments.document import Codeployment, hour_of_week, iso_time, lone_pairs
from tracelith.analysis.deployments.lead_lag import matched
from tracelith.analysis.deployments.pair_search import MINIMUM_PER_SERVICE
from tracelith.analysis.names import listed
from tracelith.analysis.shares import percent
from tracelith.model.findings import Finding, Severity, State

__all__ = ["codeployment_findings"]

LOCKSTEP_WARNING, LOCKSTEP_CRITICAL = 0.3, 0.6
"""Lower bounds of the lockstep excess (own)."""
CRITICAL_GROUP, CRITICAL_EXCESS = 4, 0.5
"""A group of so many services whose typical pair has at least this excess_low is critical (own)."""
WIDE_GROUP, WIDE_SHARE = 6, 2 / 3
"""A group this large, of more than this share of all services, is the system's own lockstep: irregular release days
look exactly like it, so it is told once, as lockstep, and accuses nobody in particular."""
TRAIN_SHARE = 0.3
"""From this share of all deployments in one hour of the week on, the system's rhythm is called a weekly train."""
MATERIAL_EXCESS = 0.1
"""Below this lower bound nobody would say that services deploy together, however significant it is (own)."""
ONE_VERSION_SHARE = 0.8
"""From this share of coincidences with one version text on both sides the advice says what else that can mean."""
ONE_RELEASE_SHARE = 0.95
"""Two services that get one version in this share of all deployments of either are processes of one program, an
application and its worker say: that is told, as somebody may take them for two services, but accuses nobody (own)."""
EXAMPLES = 3
READING = (
    "Share of deployments that coincide beyond what calendar and activity explain: 0 is nothing, 1 is always. "
    "The lower end of the interval decides."
)


def codeployment_findings(result: Codeployment) -> tuple[Finding, ...]:
    """Findings, worst first."""
    system = _lockstep(result)
    found = [system] if system else []
    wide = [group for group in result.search.groups if system and _is_wide(result, group)]
    told = [_group(result, group) for group in result.search.groups if group not in wide]
    told += [_pair(result, pair) for pair in lone_pairs(result.search)]
    found += [finding for finding in told if finding.metric["ci"][0] >= MATERIAL_EXCESS]
    return tuple(sorted(found, key=lambda finding: (-finding.severity.rank, finding.rule, finding.subjects)))


def _is_wide(result: Codeployment, group: tuple[int, ...]) -> bool:
    frequent = int((result.log.counts >= MINIMUM_PER_SERVICE).sum())
    return len(group) >= WIDE_GROUP and len(group) > WIDE_SHARE * frequent


def _lockstep(result: Codeployment) -> Finding | None:
    lockstep, train = result.lockstep, result.train
    excess = lockstep.excess
    if lockstep.state is not State.OK or excess.low is None or excess.low < LOCKSTEP_WARNING:
        return None
    solo, expected = lockstep.solo_rate.value or 0.0, lockstep.expected_solo_rate or 0.0
    rhythm = "Services rarely deploy alone: "
    if train.top_hour is not None and (train.top_hour_share or 0) >= TRAIN_SHARE:
        share = percent(train.top_hour_share or 0.0)
        rhythm = f"Release train: {share} of deployments leave on {hour_of_week(train.top_hour)} UTC; "
    return Finding(
        rule="system-lockstep",
        severity=Severity.CRITICAL if excess.low >= LOCKSTEP_CRITICAL else Severity.WARNING,
        subjects=("system",),  # not the services: the same claim keeps its id when one is added
        title=f"{rhythm}{percent(solo)} of deployments are alone within 30 minutes, "
        f"{percent(expected)} would be if services were independent",
        metric={
            "name": "lockstep excess",
            "value": _round(excess.value),
            "ci": [_round(excess.low), _round(excess.high)],
            "unit": "share",
            "n": excess.n,
            "reading": "1 − solo rate / expected solo rate: 0 is independent, 1 is never alone.",
        },
        evidence={
            "services": list(result.log.services),
            "coincidences": _largest_sessions(result),
            "solo_rate": _round(lockstep.solo_rate.value),
            "lockstep_index": _round(lockstep.index),
            "sessions": train.sessions,
            "largest_batch": train.largest_batch,
        },
        advice="Let one service that has its own owner deploy on its own day, and see what stops it: that contract, "
        "shared schema or common test stage is what couples the system.",
    )


def _group(result: Codeployment, members: tuple[int, ...]) -> Finding:
    tests, search = result.search.tests, result.search
    inside = np.flatnonzero(search.coupled & np.isin(tests.a, members) & np.isin(tests.b, members))
    typical = int(inside[np.argsort(tests.excess_low[inside], kind="stable")[len(inside) // 2]])
    names = tuple(result.log.services[member] for member in members)
    severe = len(members) >= CRITICAL_GROUP and float(np.median(tests.excess_low[inside])) >= CRITICAL_EXCESS
    return Finding(
        rule="codeployment-group",
        severity=Severity.CRITICAL if severe else Severity.WARNING,
        subjects=names,
        title=f"{listed(names, 6)} deploy together: a typical pair of them within 30 minutes "
        f"{tests.coincidences[typical]} of {tests.trials[typical]} times, "
        f"where the calendar explains {percent(float(tests.base_rate[typical]))}",
        metric=_metric(result, typical),
        evidence={**_evidence(result, typical), "pairs": len(inside), "coincidences": _joint(result, members)},
        advice="Ship them as one deployable module, or find the contract, schema or library that forces them together "
        f"and make its changes backwards compatible.{_same_version_caveat(result, typical)}",
    )


def _pair(result: Codeployment, members: tuple[int, ...]) -> Finding:
    tests = result.search.tests
    place = int(np.flatnonzero((tests.a == members[0]) & (tests.b == members[1]))[0])
    names = tuple(result.log.services[member] for member in members)
    times = f"{tests.coincidences[place]} of {tests.trials[place]} times"
    severity = Severity.WARNING
    title = (
        f"{names[0]} and {names[1]} deploy within 30 minutes of each other {times}, "
        f"where the calendar explains {percent(float(tests.base_rate[place]))}"
    )
    advice = (
        "Find what forces the two to ship together (a shared contract, schema or library) and make its changes "
        "backwards compatible; if neither has an owner or scaling axis of its own, merge them."
        f"{_same_version_caveat(result, place)}"
    )
    if _is_one_release(result, place):
        severity = Severity.INFO
        title = f"{names[0]} and {names[1]} are one release: {times} they get the same version within 30 minutes"
        advice = (
            "Nothing to do if they are meant as processes of one program, an application and its worker say. If they "
            "are meant as two services, they are so in name only: find out whether they can be released apart."
        )
    return Finding(
        rule="codeployment-pair",
        severity=severity,
        subjects=names,
        title=title,
        metric=_metric(result, place),
        evidence={**_evidence(result, place), "coincidences": _joint(result, members)},
        advice=advice,
    )


def _is_one_release(result: Codeployment, place: int) -> bool:
    tests = result.search.tests
    together = float(tests.coincidences[place] / tests.trials[place])  # trials are those of whoever deploys more
    return min(together, _same_version_share(result, place)) >= ONE_RELEASE_SHARE


def _metric(result: Codeployment, place: int) -> dict[str, Any]:
    tests = result.search.tests
    return {
        "name": "co-deployment excess",
        "value": _round(float(tests.excess[place])),
        "ci": [_round(float(tests.excess_low[place])), _round(float(tests.excess_high[place]))],
        "unit": "share",
        "n": int(tests.trials[place]),
        "reading": READING,
    }


def _evidence(result: Codeployment, place: int) -> dict[str, Any]:
    search = result.search
    return {
        "p_value": float(f"{np.fmax(search.tests.p_calendar[place], search.tests.p_activity[place]):.3g}"),
        "q_value": float(f"{search.q_value[place]:.3g}"),
        "base_rate": _round(float(search.tests.base_rate[place])),
        "label": search.labels[place],
        "same_version_share": _round(_same_version_share(result, place)),
    }


def _same_version_share(result: Codeployment, place: int) -> float:
    """Share of the pair's coincidences in which both got the same version text."""
    events = matched(result.log, int(result.search.tests.a[place]), int(result.search.tests.b[place]))
    left, right = result.log.version[events[:, 0]], result.log.version[events[:, 1]]
    return float(np.mean((left == right) & (left >= 0))) if len(events) else 0.0


def _same_version_caveat(result: Codeployment, place: int) -> str:
    if _same_version_share(result, place) < ONE_VERSION_SHARE:
        return ""
    return (
        " They get the same version each time: if one pipeline releases them from one repository, first ask whether "
        "they could be released apart."
    )


def _joint(result: Codeployment, members: tuple[int, ...]) -> list[dict[str, Any]]:
    """The latest times when most of the members deployed together."""
    log = result.log
    if len(members) == 2:
        events = matched(log, *members, DELTA_NS)
        latest = events[np.argsort(-log.at_ns[events[:, 0]], kind="stable")][:EXAMPLES]
        return [_moment(result, row) for row in latest]
    sessions = result.sessions
    joined = sessions.incidence[list(members)].sum(axis=0)
    best = np.lexsort((-np.arange(len(joined)), -joined))[:EXAMPLES]
    mine = np.isin(log.service, members)
    return [_moment(result, np.flatnonzero(mine & (sessions.session == session))) for session in sorted(best)[::-1]]


def _largest_sessions(result: Codeployment) -> list[dict[str, Any]]:
    batches = result.sessions.batch_sizes
    best = np.lexsort((-np.arange(len(batches)), -batches))[:EXAMPLES]
    return [_moment(result, np.flatnonzero(result.sessions.session == session)) for session in sorted(best)[::-1]]


def _moment(result: Codeployment, events: Any) -> dict[str, Any]:
    log = result.log
    ordered = sorted((int(log.at_ns[event]), int(log.service[event])) for event in events)
    return {
        "at": iso_time(log.start_ns + ordered[0][0]),
        "services": list(dict.fromkeys(log.services[service] for _, service in ordered))[:20],
        "minutes": round((ordered[-1][0] - ordered[0][0]) / 60e9, 1),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
