"""What an analysis is: a question, the facts it observes in a window, and what it concludes from them.

A new analysis is one module in this package that defines ``ANALYSIS = Analysis.define(...)``; the registry
finds it, the engine runs it, and dashboard, report and README show the sections of its docstring.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tracelith.forest.view import ForestView
from tracelith.model.declarations import Declarations
from tracelith.model.facts import FactReader, FactTable
from tracelith.model.findings import Finding

__all__ = ["SECTIONS", "Analysis", "Conclusion", "Evidence", "Observe"]

SECTIONS = ("Question", "Method", "Reading", "Needs", "False positives", "Source")
"""What the docstring of every analysis module must say, in this order."""

Observe = Callable[[ForestView], Mapping[str, pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything conclude may look at: one environment, one period.

    Attributes:
        environment: deployment environment, empty if traces name none.
        start_ns, end_ns: half-open period of the facts.
        facts: fact tables of any analysis, merged or per window.
        deployments: DEPLOYMENT rows of this environment up to end_ns (external ones; those seen in traces are facts).
        refusals: spans refused before they could be stored, by reason; of every environment and time still remembered,
            as a span that cannot be read names neither.
        declarations: what people say about the system that no trace can.
        concluded: for an analysis that concludes after the others: their parts of the document. A part is missing if
            its analysis failed or did not run.
    """

    environment: str
    start_ns: int
    end_ns: int
    facts: FactReader
    deployments: pl.DataFrame
    refusals: Mapping[str, int] = field(default_factory=dict)
    declarations: Declarations = field(default_factory=Declarations)
    concluded: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What one analysis says.

    Attributes:
        document: JSON-ready top-level keys of the analysis document (``{"entry_operations": [...]}``),
            as tracelith.model.document describes them.
        findings: claims, worst first.
    """

    document: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """One registered analysis.

    Attributes:
        name: identifier, the module's name. title: for headings.
        fact_tables: what observe produces. observe returns one frame per table name.
        without_evidence: its parts of the document when it could not conclude, given the reason.
        sections: the docstring's sections by name.
        after_others: it concludes from what the others concluded, see Evidence.concluded.
    """

    name: str
    title: str
    fact_tables: tuple[FactTable, ...]
    observe: Observe | None
    conclude: Callable[[Evidence], Conclusion]
    without_evidence: Callable[[str], Mapping[str, Any]] = lambda _reason: {}
    sections: Mapping[str, str] = field(default_factory=dict)
    after_others: bool = False

    @classmethod
    def define(
        cls,
        module: str,
        docstring: str | None,
        *,
        fact_tables: tuple[FactTable, ...],
        conclude: Callable[[Evidence], Conclusion],
        observe: Observe | None = None,
        without_evidence: Callable[[str], Mapping[str, Any]] = lambda _reason: {},
        after_others: bool = False,
    ) -> "Analysis":
        """An analysis from its module's name and docstring; the docstring's first line is its title.

        Raises:
            ValueError: a section of SECTIONS is missing from the docstring.
        """
        text = docstring or ""
        title = text.strip().split("\n", 1)[0].rstrip(".")
        sections = _sections(text)
        missing = [name for name in SECTIONS if not sections.get(name)]
        if missing:
            raise ValueError(f"{module}: the docstring lacks the section(s) {', '.join(missing)}")
        name = module.rsplit(".", 1)[-1]
        return cls(name, title, fact_tables, observe, conclude, without_evidence, sections, after_others)


def _sections(docstring: str) -> dict[str, str]:
    pattern = re.compile(rf"^({'|'.join(SECTIONS)}): ", re.MULTILINE)
    parts = pattern.split(docstring)
    return {name: " ".join(body.split()) for name, body in zip(parts[1::2], parts[2::2], strict=True)}
