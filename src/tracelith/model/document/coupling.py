"""Coupling that no call shows, and calls that couple nothing else."""

from typing import Any, Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import StateName

__all__ = ["CoupledPairDocument", "CouplingDocument"]


class CoupledPairDocument(TypedDict):
    """Two services and all the ways in which they are bound to each other; each is a lower bound from 0 to 1."""

    a: str
    b: str
    calls: int  # calls and messages between them, either way
    linked_by: Literal["calls", "messages", "others", "none"]  # others: not directly, but both depend on the same
    deploys: float | None  # None: could not be told
    fails: float | None
    data: float | None
    scales: float | None
    families: list[str]  # of deploy, failure, data, scale: in which they are surely bound
    label: Literal["hidden", "open", "calls_only", "none", "unknown"]
    # hidden: bound without any call between them; open: bound, and they call; calls_only: they call and nothing else
    # that could be told binds them, which is how it should be
    reason: str  # what they share, or what explains it


class CouplingDocument(TypedDict):
    """The part ``coupling``."""

    pairs: list[CoupledPairDocument]  # hidden ones first, then most families; without pairs of label none
    counts: dict[str, int]  # pairs by label
    evidence: dict[str, Any]  # {deploy, failure, data, scale: how many pairs could be told}
    status: StateName
    reason: str
