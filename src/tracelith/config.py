"""Settings of the server, from the command line, the environment (``TRACELITH_DB``), and a TOML file.

The nearest wins: command line, then environment, then file, then the defaults below. All problems are
reported together, each with its key and where it came from. (pydantic-settings merges the same sources, but its
errors do not say which of them a bad value came from.)
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, ValidationError

from tracelith.model.errors import ConfigurationError

__all__ = ["ENVIRONMENT_PREFIX", "Settings", "load_settings", "split_address"]

ENVIRONMENT_PREFIX = "TRACELITH_"

SERVICE_LINK = re.compile(ENVIRONMENT_PREFIX + r"(SERVICE_HOST|(SERVICE_)?PORT(_.*)?)")
"""What Kubernetes tells every container about a service named tracelith; nobody's settings."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` (IPv6 hosts in brackets).

    Raises:
        ValueError: no such pair, with what was expected.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"'{address}' is not host:port, for example 127.0.0.1:4317")
    return host.strip("[]"), int(port)


def _valid_address(address: str) -> str:
    split_address(address)
    return address


Address = Annotated[str, AfterValidator(_valid_address)]


class Settings(BaseModel):
    """Everything ``tracelith serve`` can be told. Addresses are loopback unless you say otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    db: Path = Field(default=Path("tracelith.duckdb"), description="DuckDB file that holds everything")
    grpc: Address = Field(default="127.0.0.1:4317", description="OTLP/gRPC receiver")
    http: Address = Field(default="127.0.0.1:4318", description="OTLP/HTTP receiver")
    web: Address = Field(default="127.0.0.1:8080", description="dashboard and JSON API")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="host names the dashboard answers to besides loopback"
    )

    declarations: Path | None = Field(
        default=None, description="TOML file of what only people know: aliases of databases, owners, gateways"
    )

    max_request_bytes: int = Field(default=16 << 20, ge=1 << 16, description="largest OTLP request, also decompressed")
    max_queued_bytes: int = Field(default=64 << 20, ge=1 << 20, description="requests waiting for their commit")

    keep_attributes: bool = Field(
        default=False, description="also keep all that spans say: every attribute, event and link, for reading traces"
    )

    quiet_s: float = Field(default=30.0, ge=0, description="a window is analysed once no span reached it for this long")
    analyse_every_s: float = Field(default=10.0, gt=0, description="how often to look for windows to analyse")

    reports: Path = Field(default=Path("reports"), description="folder of the weekly reports")
    report_schedule: str = Field(
        default="0 6 * * mon", description="when to write last week's report, as a crontab line, UTC"
    )

    span_days: float = Field(default=7.0, gt=0, description="raw spans are kept this long")
    fact_days: float = Field(default=400.0, gt=0, description="facts, and so trends, are kept this long")
    max_db_bytes: ByteSize | None = Field(
        default=None, ge=200_000_000, description="before the database is this large (20GB), the oldest raw spans go"
    )


def load_settings(overrides: Mapping[str, Any], file: Path | None = None) -> Settings:
    """Settings from all sources.

    Args:
        overrides: values of the command line; None means not given.
        file: a TOML file; without it the one named by ``TRACELITH_CONFIG``, if any.

    Raises:
        ConfigurationError: all problems at once, each with its key and its source.
    """
    named = file or (Path(os.environ["TRACELITH_CONFIG"]) if "TRACELITH_CONFIG" in os.environ else None)
    from_file = _read_toml(named) if named else {}
    from_environment: dict[str, Any] = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name != "TRACELITH_CONFIG" and not SERVICE_LINK.fullmatch(name)
    }
    if "allowed_hosts" in from_environment:
        from_environment["allowed_hosts"] = tuple(filter(None, from_environment["allowed_hosts"].split(",")))
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**{**from_file, **from_environment, **given})
    except ValidationError as error:
        sources = {
            **dict.fromkeys(from_file, f"file {named}"),
            **{key: f"environment variable {ENVIRONMENT_PREFIX}{key.upper()}" for key in from_environment},
            **{key: f"option --{key.replace('_', '-')}" for key in given},
        }
        raise ConfigurationError(_describe_problems(error, sources)) from error


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"settings file {file} cannot be read as TOML: {error}") from error


def _describe_problems(error: ValidationError, sources: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else "?"
        known = key in Settings.model_fields
        what = problem["msg"].removeprefix("Value error, ") if known else f"no such setting; known: {_known_settings()}"
        lines.append(f"{key} ({sources.get(key, 'default')}): {what}")
    return "\n".join(["these settings cannot be used:", *lines])


def _known_settings() -> str:
    return ", ".join(Settings.model_fields)
