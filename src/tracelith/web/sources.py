"""What the dashboard needs of the rest of the process. The comments here are the specification."""

from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.forest.view import ForestView
from tracelith.model.document import AnalysisDocument
from tracelith.present.receiving import Receiving
from tracelith.present.span_details import DetailLookup

__all__ = [
    "DeploymentSource",
    "ProcessStatus",
    "ResultsSource",
    "Sources",
    "StatusSource",
    "TraceSource",
    "WebSettings",
]


class ProcessStatus(TypedDict):
    """How receiving and analysing are going."""

    ready: bool  # the receiver listens and the store can be written
    counters: dict[str, Any]  # name, its unit as suffix, to a number or a short text, in the order to show


class ResultsSource(Protocol):
    """Conclusions. All methods are called from several threads and should answer from a cache."""

    def document(self, environment: str | None, start_ns: int, end_ns: int) -> AnalysisDocument:
        """Everything concluded about one environment (None: the one with most spans) and half-open period."""
        ...

    def environments(self) -> list[tuple[str, int]]:
        """Environments ever seen and their number of spans, most first."""
        ...

    def period(self) -> tuple[int, int] | None:
        """First window start and last window end with conclusions, None before the first trace."""
        ...


class TraceSource(Protocol):
    """Raw traces as evidence."""

    def trace(self, trace_hi: int, trace_lo: int) -> ForestView | None:
        """A view of this one trace; None if it is unknown or past retention."""
        ...

    def details(self, trace_hi: int, trace_lo: int) -> DetailLookup:
        """What the spans of this trace say in full, as far as it is kept."""
        ...


class DeploymentSource(Protocol):
    """Deployments told by people and pipelines; the store's DeploymentStore is one."""

    def add_deployments(self, deployments: pl.DataFrame) -> int:
        """Stores the DEPLOYMENT rows not there yet and returns how many were new."""
        ...

    def deployments(self, environment: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        """DEPLOYMENT rows in the half-open period; rows without an environment count in every one."""
        ...


class StatusSource(Protocol):
    """The process looking at itself."""

    def ingest_status(self) -> ProcessStatus:
        """How receiving and analysing are going; must be cheap, probes call it every few seconds."""
        ...

    def receiving(self) -> Receiving:
        """Everything the ingest page and the metrics show, also when the database has failed."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """All four, as create_app hands them to pages and API."""

    results: ResultsSource
    traces: TraceSource
    deployments: DeploymentSource
    status: StatusSource


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the dashboard must know of its surroundings.

    Attributes:
        grpc_endpoint, http_endpoint: where exporters should send, shown while there is no data.
        allowed_hosts: host names (no ports) under which the dashboard may be reached besides loopback. Any other Host
            header is refused, so that no web page can reach in by rebinding its own name to this address.
        version: shown at the foot of each page.
    """

    grpc_endpoint: str = "http://127.0.0.1:4317"
    http_endpoint: str = "http://127.0.0.1:4318"
    allowed_hosts: tuple[str, ...] = ()
    version: str = ""
