"""Scaling on its own: which services ever need another number of instances than their neighbours."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["AxisPairDocument", "ScaledServiceDocument", "ScalingDocument"]


class AxisPairDocument(TypedDict):
    """Two services and whether they answer to one load."""

    a: str  # the one that calls, or the busier one
    b: str
    direct: bool  # a calls b itself
    calls_per_request: float | None  # of b per request of a
    dominance: EstimateDocument  # share of b's requests that a causes, by any path
    ratio_cv: float | None  # coefficient of variation of the ratio of their rates, sampling noise taken out
    elasticity: EstimateDocument  # by how many per cent b's rate changes when a's changes by one
    r_squared: float | None
    instance_correlation: float | None  # of changes in the number of instances
    label: Literal["same_axis", "own_axis", "unclear", "unknown"]
    status: StateName
    reason: str


class ScaledServiceDocument(TypedDict):
    """One service."""

    service: str
    requests: int
    per_second: float | None  # None if requests do not say how they were sampled
    fewest_instances: int | None  # None where too few requests came to see them all
    most_instances: int | None
    main_caller: str | None
    main_caller_share: EstimateDocument
    label: Literal[
        "same_axis", "own_axis", "unclear", "unknown"
    ]  # with anybody; own: different from all it was compared with
    status: StateName
    reason: str


class ScalingDocument(TypedDict):
    """The part ``scaling``."""

    services: list[ScaledServiceDocument]
    pairs: list[AxisPairDocument]  # same axis first
    groups: list[list[str]]  # services on one axis
    same_axis_share: EstimateDocument  # of services that could be judged, those on an axis with another
    status: StateName
    reason: str
