"""The section about failures: what they took along, what would fail with each service, and what was done about it."""

from collections.abc import Sequence

from tracelith.analysis.times import lasting
from tracelith.model.document import (
    AnalysisDocument,
    AvailabilityDocument,
    BlastRadiusDocument,
    CascadeDocument,
    FailurePairDocument,
    FailuresDocument,
    PropagationDocument,
    RetryDocument,
    TimeoutDocument,
)
from tracelith.present import text
from tracelith.present.answers import Answer, Tone, topic_of
from tracelith.present.chart import Table
from tracelith.present.failure_figures import blast_radius, radius_table
from tracelith.present.section import Part, Section, SectionKind

__all__ = ["SECTION", "describe"]

_QUESTION = "What fails when a service fails?"

_LEAD = (
    "A service that can only work while others do is not a service of its own. Failed requests are followed down to "
    "where they began, so that whoever failed first is told apart from those who failed with it."
)

_MOST = 25
_FEW = 10

_DEPENDENCY = {
    "hard": "cannot do without it",
    "partial": "sometimes fails with it",
    "soft": "does without it",
    "unknown": "not known yet",
}
_LIMIT = {"bounded": "gives up", "unbounded": "no limit seen", "unknown": "not known"}


def describe(document: AnalysisDocument, period: str) -> Section:
    """The section of a document."""
    failures = document["failures"]
    parts = [
        _cascades(failures["cascades"]),
        _radius(failures["services"], period),
        _dependencies(failures["edges"]),
        _operations(failures["entries"]),
        _together(failures["pairs"]),
        _retries(failures["retries"]),
        _limits(failures["timeouts"]),
    ]
    return Section(_answer(document, failures), _LEAD, tuple(part for part in parts if part is not None))


def _answer(document: AnalysisDocument, failures: FailuresDocument) -> Answer:
    if failures["status"] != "ok":
        return Answer.unknown("failures", _QUESTION, failures["reason"])
    accused = any(topic_of(one["rule"]) == "failures" and one["severity"] != "info" for one in document["findings"])
    tone: Tone = "notable" if accused else "fine"
    if failures["cascades"]:
        return _worst_cascade(failures["cascades"], tone == "notable")
    known = [edge for edge in failures["edges"] if edge["status"] == "ok"]
    hard = [edge for edge in known if edge["dependency"] == "hard"]
    if hard:
        worst = hard[0]
        claim = (
            f"{text.printable(worst['caller'], 60)} fails whenever {text.printable(worst['callee'], 60)} does; "
            f"{len(hard)} of {len(known)} calls with known failures are like that."
        )
        reading = "Share of the callee's failures that fail its caller: 0 is independent, 1 is one service in two."
        return Answer("failures", _QUESTION, claim, text.estimate(worst["power"], "share"), reading, tone)
    if known:
        claim = f"No caller surely fails with its callee, of {len(known)} calls whose failures are known."
        return Answer("failures", _QUESTION, claim, "", "A failure of the others was not seen often enough.", tone)
    if not failures["edges"]:
        reading = "Nothing that requests wait for failed in this period, so it does not show what would fail with it."
    else:
        reading = "Ten failures of a callee and a hundred successes are needed to say what they do to its caller."
    return Answer("failures", _QUESTION, "Too little failed to say.", "", reading, tone if accused else "unknown")


def _worst_cascade(cascades: Sequence[CascadeDocument], accused: bool) -> Answer:
    worst = cascades[0]
    others = len(worst["steps"]) - 1
    claim = (
        f"{text.printable(worst['origin'], 60)} failed for {lasting(60 * worst['minutes'])} and took {others} "
        f"{'service' if others == 1 else 'services'} along."
    )
    share = worst["failed_requests"] / worst["requests"] if worst["requests"] else None
    reading = (
        f"Share of all requests from outside that failed because of it, from {text.time(worst['start'])} on: "
        f"{text.count(worst['failed_requests'])} of {text.count(worst['requests'])}."
    )
    more = len(cascades) - 1
    if more:
        reading += f" {more} more {'failure' if more == 1 else 'failures'} spread in this period."
    return Answer("failures", _QUESTION, claim, text.percent(share), reading, "notable" if accused else "fine")


def _cascades(cascades: Sequence[CascadeDocument]) -> Part | None:
    if not cascades:
        return None
    shown = cascades[:_FEW]
    table = Table.of(
        ("Began", "#Length", "First to fail", "Then", "#Requests lost", "#Of all", "Lost most"),
        (
            (
                text.time(one["start"]),
                text.minutes(one["minutes"]),
                text.printable(one["origin"]),
                _then(one),
                text.count(one["failed_requests"]),
                text.percent(one["failed_requests"] / one["requests"] if one["requests"] else None),
                _lost_most(one),
            )
            for one in shown
        ),
        (one["trace_ids"] for one in shown),
    )
    dropped = f" The {len(shown)} that lost most of {len(cascades)}." if len(cascades) > len(shown) else ""
    return Part(
        "Failures that took others along",
        f"Each row is one failure and all that failed because of it, in the order in which they began to.{dropped}",
        table,
        reading="Requests from outside that failed for another reason meanwhile are not counted as lost.",
        headline=True,
    )


def _then(cascade: CascadeDocument) -> str:
    steps = [
        f"{text.printable(step['service'], 40)} ({text.percent(step['failed_share'])})" for step in cascade["steps"][1:]
    ]
    return ", ".join(steps[:6]) + (f" and {len(steps) - 6} more" if len(steps) > 6 else "")


def _lost_most(cascade: CascadeDocument) -> str:
    worst = max(cascade["entries"], key=lambda entry: (entry["failed_share"], entry["failed"]), default=None)
    if worst is None:
        return "nothing from outside"
    return f"{text.operation_name(worst['service'], worst['operation'])}: {text.percent(worst['failed_share'])}"


def _radius(services: Sequence[BlastRadiusDocument], period: str) -> Part | None:
    known = [one for one in services if one["radius"]["value"] is not None or one["observed"]["value"] is not None]
    if not known:
        return None
    unknown = len(services) - len(known)
    said = f" Of {unknown} others it is not known: they, or services between, failed too rarely." if unknown else ""
    return Part(
        "What would fail with each service",
        f"If every call to a service failed, this share of all requests from outside would fail.{said}",
        table=radius_table(known[:_MOST]) if not any(one["radius"]["value"] for one in known) else None,
        chart=blast_radius(known, period) if any(one["radius"]["value"] for one in known) else None,
        headline=True,
    )


def _dependencies(edges: Sequence[PropagationDocument]) -> Part | None:
    if not edges:
        return None
    shown = edges[:_MOST]
    table = Table.of(
        (
            "Caller",
            "Callee",
            "#Failures of the callee",
            "#Caller failed then",
            "#Otherwise",
            "#Its doing",
            "The caller",
        ),
        (
            (
                text.printable(one["caller"]),
                text.printable(one["callee"]),
                text.count(one["callee_failures"]),
                text.percent(one["failed_given_failure"]["value"]),
                text.percent(one["failed_given_success"]["value"]),
                text.estimate(one["power"], "share"),
                _DEPENDENCY[one["dependency"]] + (" (both have a cause in common)" if one["common_cause"] else ""),
            )
            for one in shown
        ),
        (one["trace_ids"] for one in shown),
    )
    dropped = f" The {len(shown)} surest of {len(edges)} that ever failed." if len(edges) > len(shown) else ""
    return Part(
        "Who fails with whom",
        f"Calls that failed at least once, after retries, in requests in which nothing else failed.{dropped}",
        table,
        reading="Its doing is the share of the callee's failures that failed a caller which would not have failed "
        "otherwise. From 60 % on (lower end) the caller cannot do without the callee, below 20 % (upper end) it can.",
        headline=True,
    )


def _operations(entries: Sequence[AvailabilityDocument]) -> Part | None:
    if not entries:
        return None
    shown = entries[:_MOST]
    table = Table.of(
        ("Operation", "#Requests", "#Succeeded", "#Hid a failure", "#At most, with what it needs", "Cannot do without"),
        (
            (
                text.operation_name(one["service"], one["operation"]),
                text.count(one["requests"]),
                text.estimate(one["availability"], "share"),
                text.estimate(one["hidden_errors"], "share"),
                text.percent(one["serial_availability"]),
                ", ".join(text.printable(name, 40) for name in one["hard_dependencies"]) or text.MISSING,
            )
            for one in shown
        ),
        (one["trace_ids"] for one in shown),
    )
    dropped = f" The {len(shown)} least available of {len(entries)}." if len(entries) > len(shown) else ""
    return Part(
        "How often requests from outside succeed",
        f"And how many of those that did hide a failure inside that nobody saw.{dropped}",
        table.without_empty_columns(),
        reading="What needs several others succeeds at most as often as the product of all of them. Example traces are "
        "successful requests with a failure inside.",
    )


def _together(pairs: Sequence[FailurePairDocument]) -> Part | None:
    shown = [pair for pair in pairs if pair["coupled"]][:_MOST]
    if not shown:
        return None
    table = Table.of(
        ("Service", "And", "#Bad minutes", "#Of the other", "#Both at once", "#Overlap", "#By chance"),
        (
            (
                text.printable(one["a"]),
                text.printable(one["b"]),
                text.count(one["bad_minutes_a"]),
                text.count(one["bad_minutes_b"]),
                text.count(one["together"]),
                text.estimate(one["overlap"], "share"),
                text.percent(one["expected"]),
            )
            for one in shown
        ),
    )
    return Part(
        "Services that fail together",
        "Each fails on its own account, none because it waits for the other: they have a cause in common.",
        table,
        reading="Overlap is the share of the bad minutes of the one that fails less in which the other fails, too.",
    )


def _retries(retries: Sequence[RetryDocument]) -> Part | None:
    if not retries:
        return None
    shown = retries[:_FEW]
    table = Table.of(
        ("Call", "#Calls", "#Attempts per call", "#In the worst minute", "Multiplies with", "Storm"),
        (
            (
                _call(one["caller"], one["callee"]),
                text.count(one["calls"]),
                text.estimate(one["amplification"]),
                text.number(one["worst_minute"], 2),
                ", ".join(text.printable(edge, 60) for edge in one["stacked_on"]) or text.MISSING,
                "yes" if one["storm"] else "no",
            )
            for one in shown
        ),
        (one["trace_ids"] for one in shown),
    )
    return Part(
        "Calls that are tried again",
        "Retries help when one call in a hundred fails; when all fail, they multiply the load on who is down.",
        table.without_empty_columns(),
        reading="A storm makes more than 2.2 attempts per call while the callee is in trouble, or two layers of one "
        "chain multiply to more than 2.",
    )


def _limits(timeouts: Sequence[TimeoutDocument]) -> Part | None:
    shown = [one for one in timeouts if one["label"] != "unknown"][:_FEW]
    if not shown:
        return None
    table = Table.of(
        ("Call", "#Calls", "#Longest", "#Given up after", "#Given up", "Limit"),
        (
            (
                _call(one["caller"], one["callee"]),
                text.count(one["calls"]),
                text.milliseconds(one["longest_ms"]),
                text.milliseconds(one["timeout_ms"]),
                text.count(one["cut_off"]),
                _LIMIT[one["label"]],
            )
            for one in shown
        ),
    )
    return Part(
        "How long callers wait",
        "Where long calls end at the same length, somebody gave up: that is the limit in force.",
        table.without_empty_columns(),
        reading="A call without a limit holds its caller, and all who wait for that, for as long as the callee takes.",
    )


def _call(caller: str, callee: str) -> str:
    return f"{text.printable(caller, 60)} → {text.printable(callee, 60)}"


SECTION = SectionKind("failures", "Failures", "failures", describe)
