"""The number with its interval that all parts of the document are made of."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

__all__ = ["EstimateDocument", "StateName", "WindowDocument"]

StateName = Literal["ok", "insufficient_data", "not_identifiable"]


class EstimateDocument(TypedDict):
    """A number with its 95 % interval, sample size and status."""

    value: float | None
    ci: list[float] | None
    n: int
    n_eff: float
    status: StateName
    reason: str


class WindowDocument(TypedDict):
    """The half-open period analysed."""

    start: str
    end: str
