"""What each kind of finding says in the verdict's sentence: a clause of a few words."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tracelith.analysis.names import listed

__all__ = ["CLAUSES"]

LONGEST_NAME = 40
LONGEST_CAUSE = 80
MOST_NAMES = 4

Document = Mapping[str, Any]
Clause = Callable[[Document, Document, Sequence[str]], str]
"""From a finding, the document, and what the clauses before were about."""


def _together(finding: Document, _document: Document, _about: Sequence[str]) -> str:
    names = [_short(name) for name in finding["subjects"]]
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} more services deploy together"
    return f"{', '.join(names[:-1])} and {names[-1]} deploy together"


def _lockstep(_finding: Document, _document: Document, _about: Sequence[str]) -> str:
    return "services rarely deploy alone"


def _deep(finding: Document, document: Document, _about: Sequence[str]) -> str:
    hops = int(finding["metric"]["value"])
    return f"{_operation(finding, document)} waits for {hops} services in a row"


def _tail(finding: Document, document: Document, about: Sequence[str]) -> str:
    hop, *ends = finding["subjects"][1:]
    cause = f"the call from {_short(ends[0])} to {_short(ends[-1])}" if ends else _short(hop)
    if len(cause) > LONGEST_CAUSE:
        cause = f"the call to {_short(ends[-1])}"
    if about and about[-1] == finding["subjects"][0]:
        return f"{cause} makes its slowest requests slow"
    return f"{cause} makes the slowest requests of {_operation(finding, document)} slow"


def _operation(finding: Document, document: Document) -> str:
    """The entry operation a finding is about, without its service where that leaves no doubt."""
    label = finding["subjects"][0]
    entries = document["entry_operations"]
    named = {f"{one['service']} {one['operation']}": str(one["operation"]) for one in entries}
    operation = named.get(label, label)
    return _short(operation if list(named.values()).count(operation) == 1 else label)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _names(subjects: Sequence[str]) -> str:
    return listed([_short(name) for name in subjects], MOST_NAMES - 1, first=2)


def _cascade(finding: Document, _document: Document, _about: Sequence[str]) -> str:
    origin, *others = finding["subjects"]
    along = _short(others[0]) if len(others) == 1 else f"{len(others)} others"
    return f"{_short(origin)} takes {along} down with it" if others else f"{_short(origin)} fails requests of others"


def _foreign(verb: str) -> Clause:
    def clause(finding: Document, _document: Document, _about: Sequence[str]) -> str:
        _, owner, *others = finding["subjects"]
        who = _short(others[0]) if len(others) == 1 else f"{len(others)} others"
        return f"{who} {verb if len(others) == 1 else verb.removesuffix('s')} data of {_short(owner)}"

    return clause


def _of_operation(rest: str) -> Clause:
    """A clause that begins with the operation the finding is about."""
    return lambda finding, document, _about: f"{_operation(finding, document)} {rest}"


def _of_service(rest: str) -> Clause:
    """A clause that begins with the service the finding is about."""
    return lambda finding, _document, _about: f"{_short(finding['subjects'][0])} {rest}"


def _of_all(rest: str, skipped: int = 0) -> Clause:
    """A clause that begins with all services the finding is about, but for the first few subjects."""
    return lambda finding, _document, _about: f"{_names(finding['subjects'][skipped:])} {rest}"


def _too_many(finding: Document, _document: Document, _about: Sequence[str]) -> str:
    metric = finding["metric"]
    return f"{metric['n']} services change as {round(metric['n'] / metric['value'])}"


def _hidden(finding: Document, _document: Document, _about: Sequence[str]) -> str:
    through = finding.get("evidence", {}).get("through")
    how = f"though they meet only in {_short(through)}" if through else "without calling each other"
    return f"{_names(finding['subjects'])} are coupled {how}"


def _chatty(finding: Document, document: Document, _about: Sequence[str]) -> str:
    return f"{_operation(finding, document)} calls {_short(finding['subjects'][1])} again and again"


CLAUSES: Mapping[str, Clause] = MappingProxyType(
    {
        "codeployment-group": _together,
        "codeployment-pair": _together,
        "deep-synchronous-chain": _deep,
        "remote-tail-hop": _tail,
        "failure-cascade": _cascade,
        "foreign-write": _foreign("writes"),
        "too-many-services": _too_many,
        "sync-over-async": _of_operation("waits for an answer over a queue"),
        "layer-split": _of_all("are layers of one thing"),
        "lock-contention": _of_all("wait for one table", skipped=1),
        "system-lockstep": _lockstep,
        "pass-through-service": _of_service("only hands requests on"),
        "consumer-group-stall": lambda finding, _document, _about: (
            f"{_short(finding['subjects'][-1])} at times takes nothing from its queue"
        ),
        "hidden-coupling": _hidden,
        "call-cycle": _of_all("call each other in a circle"),
        "chatty-calls": _chatty,
        "retry-storm": lambda _finding, _document, _about: "retries multiply failures",
        "cross-owner-join": _of_service("joins data of others"),
        "foreign-read": _foreign("reads"),
        "failing-together": _of_all("fail together"),
        "shared-consumer-group": _of_all("compete for messages", skipped=1),
        "large-blast-radius": _of_service("can fail most requests"),
        "hard-dependency-chain": lambda finding, document, _about: (
            f"{_operation(finding, document)} cannot do without {len(finding['subjects']) - 1} others"
        ),
        "hidden-errors": _of_operation("hides failures"),
        "missing-timeout": lambda finding, _document, _about: f"{_short(finding['subjects'][0])} has no timeout",
        "same-scaling-axis": _of_all("scale together"),
        "hub-service": _of_service("is called by and calls nearly everyone"),
        "mega-service": _of_service("is far larger than the others"),
        "nano-service": _of_service("is far smaller than the way to it"),
    }
)
"""In the order in which they are said: an answer to each of the three headline questions before a second one to any,
then what breaks, then what is in the way."""
