"""What cannot be found by itself when an analysis is added: forgetting one of these fails here and says where."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import tracelith.analysis
from analysis.pipelines import PERIOD
from tracelith.analysis.base import Analysis, Evidence
from tracelith.analysis.registry import registered_analyses
from tracelith.evaluate.detectors import RULES
from tracelith.model.document import AnalysisDocument
from tracelith.present.answers import topic_of
from tracelith.present.sections import sections
from tracelith.store import Store

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(Path(tracelith.analysis.__path__[0]).rglob("*.py"))


HEADLINES = {"entry_operations", "edges", "tail", "codeployment", "quality"}
"""Parts with pages and paragraphs of their own, older than sections."""

FRAME = {"schema", "environment", "generated_at", "window", "findings", "groups", "verdict", "analyses"}
"""What the engine says itself, of all analyses together."""

_REASON = "nobody looked"


def findings_of(module: Path) -> Iterator[tuple[str, bool]]:
    """Rules of the findings that a module makes, given as text or as a constant, and whether it always is INFO."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            assert "rule" in given, f"{module.name}: each Finding names its rule by keyword"
            rule = given["rule"]
            named = constants[rule.id] if isinstance(rule, ast.Name) else ast.literal_eval(rule)
            yield str(named), "severity" in given and ast.unparse(given["severity"]) == "Severity.INFO"


def concluded_from_nothing(analysis: Analysis) -> Mapping[str, Any]:
    """The parts that an analysis concludes when there are no facts at all."""
    with Store.open(None) as store:
        store.ensure_fact_tables([table for one in registered_analyses() for table in one.fact_tables])
        start_ns, end_ns = PERIOD
        evidence = Evidence("", start_ns, end_ns, store.facts("", *PERIOD), store.deployments("", 0, end_ns))
        return analysis.conclude(evidence).document


def parts_of(analysis: Analysis) -> set[str]:
    """Top-level keys of the document that an analysis fills."""
    return set(analysis.without_evidence(_REASON))


def test_every_finding_leads_to_the_page_with_its_numbers() -> None:
    rules = {rule for module in MODULES for rule, _ in findings_of(module)}

    assert rules >= {"deep-synchronous-chain", "remote-tail-hop", "codeployment-pair"}
    assert {rule for rule in rules if topic_of(rule) is None} == set(), "add the rule to present/answers.py"


def test_every_analysis_is_in_the_contract_that_keeps_them_apart() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["name"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}

    listed = contracts["Analyses never import each other"]["modules"]

    assert listed == sorted(f"tracelith.analysis.{analysis.name}" for analysis in registered_analyses())


@pytest.mark.parametrize("analysis", registered_analyses(), ids=lambda analysis: analysis.name)
def test_every_part_of_the_document_is_described(analysis: Analysis) -> None:
    parts = parts_of(analysis)

    assert parts, "say in without_evidence what the part is when nothing can be said"
    assert set(concluded_from_nothing(analysis)) == parts, "the same parts with evidence and without"
    assert parts <= set(AnalysisDocument.__annotations__), "describe the new part in model/document/"


def test_every_part_that_is_described_is_filled_by_one_analysis() -> None:
    filled = [part for analysis in registered_analyses() for part in parts_of(analysis)]

    assert sorted(filled) == sorted(set(AnalysisDocument.__annotations__) - FRAME)


def test_every_part_has_a_section_on_page_report_and_terminal() -> None:
    shown = {kind.part for kind in sections()}
    parts = {part for analysis in registered_analyses() for part in parts_of(analysis)}

    assert shown
    assert parts - HEADLINES == shown, "describe the part in present/sections/<topic>.py"


def test_every_page_of_a_section_is_one_that_findings_lead_to() -> None:
    topics = {topic_of(rule) for rule in dict.fromkeys(rule for module in MODULES for rule, _ in findings_of(module))}

    assert {kind.topic for kind in sections()} <= topics


def test_every_rule_that_can_accuse_is_asked_for_by_a_detector() -> None:
    accusing = {rule for module in MODULES for rule, info in findings_of(module) if not info}

    assert "retry-storm" in accusing
    assert accusing - set(RULES) == set(), "add a detector to evaluate/detectors/, or false alarms have no denominator"
