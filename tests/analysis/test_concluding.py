"""Analyses that conclude from what others concluded."""

from typing import Any

import polars as pl

from tracelith.analysis.base import Analysis, Conclusion, Evidence
from tracelith.analysis.running.concluding import conclude_all
from tracelith.model.facts import FactTable
from tracelith.model.schema import DEPLOYMENT


class NoFacts:
    """A period without any."""

    def merged(self, table: FactTable) -> pl.DataFrame:
        return pl.DataFrame(schema=table.schema)

    def by_window(self, table: FactTable, block_ns: int | None = None) -> pl.DataFrame:  # noqa: ARG002 - of the port
        return pl.DataFrame(schema=table.schema)


EVIDENCE = Evidence("", 0, 1, NoFacts(), pl.DataFrame(schema=DEPLOYMENT))


def saying(name: str, part: Any) -> Analysis:
    return Analysis(name, name, (), None, lambda _: Conclusion({name: part}))


def asking(name: str) -> Analysis:
    def conclude(evidence: Evidence) -> Conclusion:
        return Conclusion({name: sorted(evidence.concluded)})

    return Analysis(name, name, (), None, conclude, after_others=True)


def broken(_: Evidence) -> Conclusion:
    raise RuntimeError("broken")


def test_an_analysis_after_the_others_sees_their_parts_wherever_it_stands() -> None:
    concluded = conclude_all([asking("coupling"), saying("edges", []), saying("failures", {})], EVIDENCE, {})

    assert concluded.document["coupling"] == ["edges", "failures"]


def test_two_analyses_after_the_others_do_not_see_each_other() -> None:
    concluded = conclude_all([saying("edges", []), asking("structure"), asking("coupling")], EVIDENCE, {})

    assert concluded.document["coupling"] == concluded.document["structure"] == ["edges"]


def test_the_part_of_an_analysis_that_failed_is_missing() -> None:
    failing = Analysis("failures", "failures", (), None, broken)

    concluded = conclude_all([failing, saying("edges", []), asking("coupling")], EVIDENCE, {})

    assert concluded.document["coupling"] == ["edges"]
    assert concluded.failures.keys() == {"failures"}


def test_the_others_see_nothing_of_each_other() -> None:
    def conclude(evidence: Evidence) -> Conclusion:
        return Conclusion({"later": dict(evidence.concluded)})

    concluded = conclude_all([saying("edges", []), Analysis("later", "later", (), None, conclude)], EVIDENCE, {})

    assert concluded.document["later"] == {}
