"""Documents are what model/document says they are: every key described, of its type, and none forgotten."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

import tracelith.model.document
from analysis.pipelines import analysed
from analysis.test_real_systems import SAMPLES, concluded
from documents import empty_document, healthy_document, login_document
from tracelith.analysis.registry import registered_analyses
from tracelith.model.document import AnalysisDocument
from tracelith.present.sections import described


def _described_types() -> Iterator[type]:
    package = tracelith.model.document
    modules = [package, *(import_module(f"{package.__name__}.{one.name}") for one in iter_modules(package.__path__))]
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and is_typeddict(value):
                yield value


@pytest.fixture(scope="module")
def contract() -> Iterator[TypeAdapter[AnalysisDocument]]:
    """Judges documents by their types; unlike the API, it takes no key that is not described."""
    with pytest.MonkeyPatch.context() as patch:
        for described_type in _described_types():
            patch.setattr(described_type, "__pydantic_config__", ConfigDict(extra="forbid", strict=True), raising=False)
        yield TypeAdapter(AnalysisDocument)


def wrong_places(contract: TypeAdapter[AnalysisDocument], document: Any) -> list[str]:
    """Places at which a document is not as described, without the numbers of list elements."""
    try:
        contract.validate_python(document)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_context=False)
        places = {(".".join(key for key in one["loc"] if isinstance(key, str)), one["msg"]) for one in errors}
        return [f"{place}: {said}" for place, said in sorted(places)]
    return []


@pytest.mark.parametrize("system", ["payment", "kafka"])
def test_the_document_of_a_system_is_as_described(contract: TypeAdapter[AnalysisDocument], system: str) -> None:
    document = concluded(SAMPLES / system / "traces-0001.otlp.jsonl.gz")

    assert wrong_places(contract, document) == []
    assert [kind.topic for kind, section in described(document) if not section.answer.claim] == []


def test_the_document_of_a_system_without_data_is_as_described(contract: TypeAdapter[AnalysisDocument]) -> None:
    assert wrong_places(contract, {**analysed([]), "generated_at": "2026-03-02T00:00:00Z"}) == []


def test_what_parts_say_when_their_analysis_fails_is_as_described(contract: TypeAdapter[AnalysisDocument]) -> None:
    nothing = {**analysed([]), "generated_at": "2026-03-02T00:00:00Z"}
    failed = [analysis.without_evidence("it failed") for analysis in registered_analyses()]

    assert wrong_places(contract, {**nothing, **{name: part for said in failed for name, part in said.items()}}) == []


@pytest.mark.parametrize("made", [login_document, healthy_document, empty_document])
def test_documents_that_tests_write_by_hand_are_as_described(
    contract: TypeAdapter[AnalysisDocument], made: Callable[[], AnalysisDocument]
) -> None:
    assert wrong_places(contract, made()) == []


def test_a_key_that_is_not_described_is_found_and_so_is_one_that_is_missing(
    contract: TypeAdapter[AnalysisDocument],
) -> None:
    document: dict[str, Any] = {**empty_document()}
    structure = {**document["structure"], "circles": []}
    del structure["cycles"]

    assert wrong_places(contract, {**document, "structure": structure}) == [
        "structure.circles: Extra inputs are not permitted",
        "structure.cycles: Field required",
    ]
