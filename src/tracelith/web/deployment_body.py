"""What ``POST /api/v1/deployments`` takes: one deployment or a list, checked, as rows for the store."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from tracelith.model.schema import DEPLOYMENT

__all__ = ["DeploymentAnswer", "DeploymentBodies", "DeploymentBody", "deployment_rows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_AHEAD = timedelta(days=1)  # clocks differ, a plan for next week is no deployment


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("text without control or invisible characters was expected")
    return value


def _plausible(at: datetime) -> datetime:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not _EARLIEST <= at <= datetime.now(UTC) + _MOST_AHEAD:
        raise ValueError("a time between the year 2000 and tomorrow was expected")
    return at


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]


class DeploymentBody(BaseModel):
    """One deployment of one service."""

    model_config = ConfigDict(extra="forbid", title="Deployment", str_strip_whitespace=True)

    service: Name = Field(description="as in service.name, with service.namespace/ in front where traces name one")
    version: Name = Field(description="what was deployed, as in service.version")
    timestamp: Annotated[datetime, AfterValidator(_plausible)] | None = Field(
        None, description="when: ISO 8601 (UTC without a zone) or Unix seconds; now if absent"
    )
    environment: Annotated[str, Field(max_length=255), AfterValidator(_printable)] = Field(
        "", description="as in deployment.environment.name; without one it counts in every environment"
    )


class DeploymentAnswer(BaseModel):
    """What became of the deployments sent."""

    model_config = ConfigDict(title="DeploymentsAdded")

    received: int = Field(description="deployments in the body")
    added: int = Field(description="those not known before; sending the same twice adds nothing")


def _form(body: Any) -> str:
    return "many" if isinstance(body, list) else "one"


DeploymentBodies = Annotated[
    Annotated[DeploymentBody, Tag("one")]
    | Annotated[list[DeploymentBody], Field(min_length=1, max_length=10_000), Tag("many")],
    Discriminator(_form),
]


def deployment_rows(bodies: list[DeploymentBody], now: datetime) -> pl.DataFrame:
    """DEPLOYMENT rows with source ``api``; a deployment told without a time happened now."""
    at_ns = [(body.timestamp or now) - _EPOCH for body in bodies]
    times = [span // timedelta(microseconds=1) * 1000 for span in at_ns]
    columns = {
        "service": [body.service for body in bodies],
        "environment": [body.environment for body in bodies],
        "version": [body.version for body in bodies],
        "at_ns": times,
        "earliest_ns": times,
        "source": ["api"] * len(bodies),
    }
    return pl.DataFrame(columns, schema=DEPLOYMENT)
