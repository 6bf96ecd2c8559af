"""The answer in one plain sentence: what is wrong, what was looked at and found fine, or that too little is known."""

from collections.abc import Mapping, Sequence
from typing import Any

from tracelith.analysis.judgement.clauses import CLAUSES
from tracelith.analysis.judgement.score import Component
from tracelith.model.findings import Severity

__all__ = ["LONGEST", "sentence_of"]

LONGEST = 200
"""Characters a reader takes in at a glance (own). Claims that do not fit are counted; all are in the findings."""

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
    fine = f"No sign of a distributed monolith in what could be measured.{watched}"
    unknown = f" Not measured yet: {missing}." if missing else ""
    if missing and len(fine + unknown) > LONGEST:
        unknown = f" Not measured yet: {sum(one.value is None for one in components)} of {len(components)} questions."
    return fine + unknown


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
    """In the order of CLAUSES, other rules after them; findings come worst first."""
    first: dict[str, Document] = {}
    for finding in findings:
        first.setdefault(finding["rule"], finding)
    known = [first[rule] for rule in CLAUSES if rule in first]
    return known + [finding for rule, finding in first.items() if rule not in CLAUSES]


def _joined(clauses: Sequence[str], more: int) -> str:
    parts = [*clauses, *([f"{more} more finding{'s' if more > 1 else ''}"] if more else [])]
    # Clauses hold lists of their own, so a comma goes before the "and" that joins clauses.
    return f"{', '.join(parts[:-1])}, and {parts[-1]}." if len(parts) > 1 else f"{parts[0]}."


def _clause(finding: Document, document: Document, about: Sequence[str]) -> str:
    say = CLAUSES.get(finding["rule"])
    return say(finding, document, about) if say else str(finding["title"]).rstrip(".")
