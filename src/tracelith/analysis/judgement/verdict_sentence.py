"""The answer in one plain sentence: what is wrong, what was looked at and found fine, or that too little is known."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracelith.analysis.judgement.score import Component
from tracelith.model.findings import Severity

__all__ = ["LONGEST", "sentence_of"]

LONGEST = 200
"""Characters a reader takes in at a glance (own). Claims that do not fit are counted; all are in the findings."""

LONGEST_NAME = 40
MOST_NAMES = 4

NOT_SCORED = "not scored"

Document = Mapping[str, Any]


def sentence_of(document: Document, components: Sequence[Component], label: str) -> str:
    """The sentence.

    Args:
        document: the analysis document, but for its verdict.
        components: of the score.
        label: what the score calls the system.
    """
    warnings = [one for one in document["findings"] if one["severity"] != Severity.INFO]
    if warnings:
        lead = "Parts of this system behave as one" if label == NOT_SCORED else label.capitalize()
        return _claims(f"{lead}: ", warnings, document)
    missing = ", ".join(one.measure.title for one in components if one.value is None)
    if all(one.value is None for one in components):
        if not document["quality"]["traces"]:
            return "Nothing is known yet: no traces in this period."
        return f"Nothing can be said yet: too little data. Not measured yet: {missing}."
    watched = _claims(" Worth watching: ", document["findings"], document) if document["findings"] else ""
    unknown = f" Not measured yet: {missing}." if missing else ""
    return f"No sign of a distributed monolith in what could be measured.{watched}{unknown}"


def _claims(lead: str, findings: Sequence[Document], document: Document) -> str:
    """The worst finding of each rule as a clause, as many as fit; the rest as a number."""
    spoken, about = list[str](), list[str]()
    for finding in _worst_of_each_rule(findings):
        clause = _clause(finding, document, about)
        more = len(findings) - len(spoken) - 1
        if spoken and len(lead + _joined([*spoken, clause], more)) > LONGEST:
            continue
        spoken.append(clause)
        about.append(finding["subjects"][0])
    return lead + _joined(spoken, len(findings) - len(spoken))


def _worst_of_each_rule(findings: Sequence[Document]) -> list[Document]:
    """In the order of _CLAUSES, other rules after them; findings come worst first."""
    first: dict[str, Document] = {}
    for finding in findings:
        first.setdefault(finding["rule"], finding)
    known = [first[rule] for rule in _CLAUSES if rule in first]
    return known + [finding for rule, finding in first.items() if rule not in _CLAUSES]


def _joined(clauses: Sequence[str], more: int) -> str:
    parts = [*clauses, *([f"{more} more finding{'s' if more > 1 else ''}"] if more else [])]
    # Clauses hold lists of their own, so a comma goes before the "and" that joins clauses.
    return f"{', '.join(parts[:-1])}, and {parts[-1]}." if len(parts) > 1 else f"{parts[0]}."


def _clause(finding: Document, document: Document, about: Sequence[str]) -> str:
    say = _CLAUSES.get(finding["rule"])
    return say(finding, document, about) if say else str(finding["title"]).rstrip(".")


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


_CLAUSES: Mapping[str, Callable[[Document, Document, Sequence[str]], str]] = {
    "codeployment-group": _together,
    "codeployment-pair": _together,
    "deep-synchronous-chain": _deep,
    "remote-tail-hop": _tail,
    "system-lockstep": _lockstep,
}
"""In the order in which they are said: an answer to each of the three questions before a second one to any."""
