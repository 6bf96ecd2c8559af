"""What cannot be found by itself when an analysis is added: forgetting one of these fails here and says where."""

import ast
import tomllib
from pathlib import Path

import tracelith.analysis
from tracelith.analysis.registry import registered_analyses
from tracelith.model.document import AnalysisDocument
from tracelith.present.answers import topic_of

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(Path(tracelith.analysis.__path__[0]).rglob("*.py"))


def rules_of(module: Path) -> set[str]:
    """Rules of the findings that a module makes, given as text or as a constant of the module."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"]
    given = [keyword.value for node in made for keyword in node.keywords if keyword.arg == "rule"]
    assert len(given) == len(made), f"{module.name}: each Finding names its rule by keyword"
    return {str(constants[one.id] if isinstance(one, ast.Name) else ast.literal_eval(one)) for one in given}


def parts_of(analysis: str) -> set[str]:
    """Top-level keys that an analysis module hands to Conclusion, written as a dict in place."""
    tree = ast.parse((Path(tracelith.analysis.__path__[0]) / f"{analysis}.py").read_text(encoding="utf-8"))
    made = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Conclusion"
    ]
    return {
        str(ast.literal_eval(key))
        for node in made
        if node.args and isinstance(node.args[0], ast.Dict)
        for key in node.args[0].keys
        if key is not None
    }


def test_every_finding_leads_to_the_page_with_its_numbers() -> None:
    rules = set().union(*map(rules_of, MODULES))

    assert rules >= {"deep-synchronous-chain", "remote-tail-hop", "codeployment-pair"}
    assert {rule for rule in rules if topic_of(rule) is None} == set(), "add the rule to present/answers.py"


def test_every_analysis_is_in_the_contract_that_keeps_them_apart() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["name"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}

    listed = contracts["Analyses never import each other"]["modules"]

    assert listed == sorted(f"tracelith.analysis.{analysis.name}" for analysis in registered_analyses())


def test_every_part_of_the_document_is_described() -> None:
    described = set(AnalysisDocument.__annotations__)

    concluded = {key for analysis in registered_analyses() for key in parts_of(analysis.name)}

    assert concluded
    assert concluded <= described, "describe the new part in model/document/"
