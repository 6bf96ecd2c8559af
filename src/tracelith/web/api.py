"""The JSON API under ``/api/v1``: the analysis document, its parts, traces, and deployments in and out."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, get_type_hints

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from tracelith.model.document import (
    AnalysisDocument,
    CodeploymentDocument,
    EdgeDocument,
    EntryOperationDocument,
    FindingDocument,
    QualityDocument,
    TailDocument,
)
from tracelith.present.sections import sections
from tracelith.web.deployment_body import DeploymentAnswer, DeploymentBodies, deployment_rows
from tracelith.web.problems import Problem
from tracelith.web.selection import BadSelection, Selection, select
from tracelith.web.sources import ProcessStatus, Sources
from tracelith.web.traces import find_trace

__all__ = ["api_router", "probe_router"]

_MESSAGES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "content": {"application/problem+json": {}}, "description": "What was expected instead"}
}

Environment = Annotated[str | None, Query(description="deployment environment; the one with most spans if absent")]
Since = Annotated[
    str,
    Query(
        description="ISO 8601 time, a length before until such as 24h, 7d, 4w, or all for the start of the data; "
        "26w if absent"
    ),
]
Until = Annotated[str, Query(description="ISO 8601 time; the end of the data if absent")]


class EnvironmentEntry(BaseModel):
    """One environment and how many spans it sent."""

    environment: str
    spans: int


class KnownDeployment(BaseModel):
    """One deployment, told or seen."""

    service: str
    version: str
    at: str
    earliest: str = Field(description="it happened between this time and at")
    environment: str
    source: str = Field(description="csv, api, or traces where a new version was first seen")


def api_router(sources: Sources) -> APIRouter:
    """All endpoints below /api/v1."""
    router = APIRouter(prefix="/api/v1", responses=_MESSAGES, dependencies=[Depends(_only_known_parameters)])
    _add_document_endpoints(router, sources)
    _add_deployment_endpoints(router, sources)
    _add_evidence_endpoints(router, sources)
    return router


def _only_known_parameters(request: Request) -> None:
    """A misspelt parameter would be answered as if it had not been given: with numbers of something else."""
    route = request.scope["route"]
    known = {one.alias for one in route.dependant.query_params} if isinstance(route, APIRoute) else set()
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        expected = f"known are {', '.join(sorted(known))}" if known else "there are none here"
        raise BadSelection(f"no parameter is called {', '.join(unknown)}; {expected}")


def probe_router(sources: Sources) -> APIRouter:
    """/healthz (the process answers) and /readyz (it can take spans)."""
    router = APIRouter(tags=["probes"])

    @router.get("/healthz", summary="Whether the process answers")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="Whether spans are taken", responses={503: {"model": Problem}})
    def readyz() -> dict[str, str]:
        if not sources.status.ingest_status()["ready"]:
            raise HTTPException(503, "Spans cannot be stored now; the page /ingest and the log say why.")
        return {"status": "ready"}

    return router


def _add_document_endpoints(router: APIRouter, sources: Sources) -> None:
    def document(environment: str | None, since: str, until: str) -> AnalysisDocument:
        selection = _selection(sources, environment, since, until)
        return sources.results.document(selection.environment, selection.start_ns, selection.end_ns)

    @router.get("/analysis", summary="Everything concluded", responses={200: {"model": AnalysisDocument}})
    def analysis(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until))

    @router.get("/findings", summary="Findings, worst first", responses={200: {"model": list[FindingDocument]}})
    def findings(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until)["findings"])

    @router.get(
        "/entry-operations",
        summary="Depth and latency of entry operations",
        responses={200: {"model": list[EntryOperationDocument]}},
    )
    def entry_operations(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until)["entry_operations"])

    @router.get("/edges", summary="Who calls whom", responses={200: {"model": list[EdgeDocument]}})
    def edges(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until)["edges"])

    @router.get("/tail", summary="What makes slow requests slow", responses={200: {"model": list[TailDocument]}})
    def tail(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until)["tail"])

    @router.get("/codeployment", summary="What deploys together", responses={200: {"model": CodeploymentDocument}})
    def codeployment(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until)["codeployment"])

    @router.get("/quality", summary="How much could be used", responses={200: {"model": QualityDocument}})
    def quality(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        return _json(document(environment, since, until)["quality"])

    for kind in sections():
        _add_part(router, document, kind.part)


def _add_part(router: APIRouter, document: Callable[[str | None, str, str], AnalysisDocument], part: str) -> None:
    """The endpoint of one part of the document; its model says what it is about."""
    model = get_type_hints(AnalysisDocument)[part]

    @router.get(f"/{part}", name=part, summary=part.capitalize(), responses={200: {"model": model}})
    def get(environment: Environment = None, since: Since = "", until: Until = "") -> Response:
        answer: dict[str, Any] = {**document(environment, since, until)}
        return _json(answer[part])


def _add_deployment_endpoints(router: APIRouter, sources: Sources) -> None:
    @router.get("/deployments", summary="Deployments told or seen, oldest first")
    def deployments(environment: Environment = None, since: Since = "", until: Until = "") -> list[KnownDeployment]:
        selection = _selection(sources, environment, since, until)
        document = sources.results.document(selection.environment, selection.start_ns, selection.end_ns)
        told = sources.deployments.deployments(document["environment"], selection.start_ns, selection.end_ns)
        rows = [
            KnownDeployment(
                service=row["service"],
                version=row["version"],
                at=_iso(row["at_ns"]),
                earliest=_iso(row["earliest_ns"]),
                environment=row["environment"],
                source=row["source"],
            )
            for row in told.iter_rows(named=True)
        ]
        rows += [
            KnownDeployment(environment=document["environment"], **{name: row[name] for name in _SEEN})
            for row in document["codeployment"]["deployments"]
            if row["source"] == "traces"
        ]
        return sorted(rows, key=lambda row: (row.at, row.service, row.version))

    @router.post("/deployments", summary="Tell of deployments", status_code=201)
    def add_deployments(body: DeploymentBodies) -> DeploymentAnswer:
        bodies = body if isinstance(body, list) else [body]
        added = sources.deployments.add_deployments(deployment_rows(bodies, datetime.now(UTC)))
        return DeploymentAnswer(received=len(bodies), added=added)


def _add_evidence_endpoints(router: APIRouter, sources: Sources) -> None:
    @router.get("/environments", summary="Environments, most spans first")
    def environments() -> list[EnvironmentEntry]:
        return [EnvironmentEntry(environment=name, spans=spans) for name, spans in sources.results.environments()]

    @router.get("/status", summary="How receiving and analysing are going")
    def status() -> ProcessStatus:
        return sources.status.ingest_status()

    @router.get("/traces/{trace_id}", summary="One trace in tree order, with its critical path")
    def trace(trace_id: str) -> Response:
        return _json({"trace_id": trace_id.lower(), **asdict(find_trace(sources.traces, trace_id))})


_SEEN = ("service", "version", "at", "earliest", "source")


def _selection(sources: Sources, environment: str | None, since: str, until: str) -> Selection:
    named = {} if environment is None else {"environment": environment}
    return select({**named, "since": since, "until": until}, sources.results.period())


def _json(content: Any) -> Response:
    """The document as it is: going through models would drop fields that a newer analysis adds."""
    return Response(msgspec.json.encode(content), media_type="application/json")


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat().replace("+00:00", "Z")
