"""Deploying on its own."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.document.estimates import EstimateDocument, StateName

__all__ = ["CodeploymentDocument", "PairDocument"]


class PairDocument(TypedDict):
    """Whether two services deploy together more than the organisation's rhythm explains."""

    a: str
    b: str
    deployments_a: int
    deployments_b: int
    coincidences: int
    rate: float | None
    base_rate: float | None  # mean chance by the calendar
    activity_rate: float | None  # mean chance by the activity of others, null with too few others
    excess: float | None  # share of those deployments that coincide beyond both, for pairs that coincide twice
    excess_low: float | None
    excess_high: NotRequired[float | None]
    rate_ci: NotRequired[list[float] | None]
    rate_of: NotRequired[str]  # the service of whose deployments the rate is a share: a or b
    p_value: float | None
    q_value: float | None
    label: Literal["pair", "group", "calendar", "none", "untested"]
    lag_minutes: EstimateDocument | None  # positive: b follows a
    direction: Literal["a_first", "b_first", "undetermined"]
    sign_p: float | None
    sign_flip_p: NotRequired[float | None]  # the same question asked of the mean lag
    second_opinion_p: float | None  # curveball
    widest_window: str | None  # which of 10 min, 30 min, 2 h, 24 h shows the largest excess_low
    classical: dict[str, float | None]  # support, confidence_ab, confidence_ba, lift, jaccard, phi, degree
    status: StateName
    reason: str


class CodeploymentDocument(TypedDict):
    """System lockstep and pairs."""

    system: dict[str, Any]
    # {deployments, services, weeks, window_minutes, solo_rate: Estimate, expected_solo_rate, lockstep_excess: Estimate,
    #  lockstep_index, train: {sessions, median_batch, largest_batch, top_hour_share, top_hour},
    #  start, end, pairs: {possible, tested, coupled, listed}, status, reason}
    services: list[dict[str, Any]]
    # [{service, deployments, solo_rate: Estimate, expected_solo_rate, last_at, tested_with: number of other services}]
    pairs: list[PairDocument]  # strongest first
    groups: list[dict[str, Any]]  # [{services, label: pair|group, pairs, strongest_excess_low, median_excess_low}]
    deployments: list[dict[str, Any]]  # [{service, version, at, earliest, rollout_end, source}], the timeline
    ignored: list[dict[str, Any]]  # [{service, reason, count}] versions that were no evidence of a deployment
