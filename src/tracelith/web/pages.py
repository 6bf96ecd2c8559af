"""The pages: each answers one question, named in its heading, from one analysis document."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from tracelith.model.document import AnalysisDocument, EntryOperationDocument
from tracelith.present import text
from tracelith.present.answers import answers, tail_by_entry, topic_of
from tracelith.present.call_graph import call_graph, edge_table
from tracelith.present.deployment_figures import COUPLED, deployment_timeline, lead_lag, pair_matrix
from tracelith.present.depth_figures import depth_distribution, latency_histogram
from tracelith.present.receiving import ingest_page
from tracelith.present.section import SectionKind
from tracelith.present.sections import described, sections
from tracelith.present.tail_figures import tail_attribution, tail_edges
from tracelith.present.waterfall import Waterfall
from tracelith.web.selection import PERIODS, select
from tracelith.web.sources import Sources, WebSettings
from tracelith.web.traces import find_trace, find_trace_in_full

__all__ = ["page_router"]

_MOST_TAIL_CHARTS = 8
_MOST_ROWS = 200
_REFRESH_S = 15

Content = Callable[[AnalysisDocument, str], Mapping[str, Any]]


def page_router(sources: Sources, settings: WebSettings, templates: Environment) -> APIRouter:
    """All pages; while there is no data each of them says how to send some."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    def show(request: Request, template: str, content: Content, *, without_data: bool = False) -> str:
        known = sources.results.period()
        selection = select(request.query_params, known)
        frame = {"path": request.url.path, "selection": selection, "link": selection.link, "periods": PERIODS}
        if known is None and not without_data:
            return templates.get_template("empty.html").render(**frame, environments=[], kept={}, settings=settings)
        document = sources.results.document(selection.environment, selection.start_ns, selection.end_ns)
        period = text.period(document["window"])
        return templates.get_template(template).render(
            **frame,
            environments=[name for name, _ in sources.results.environments()],
            kept=_kept_parameters(request),
            document=document,
            period=period,
            **content(document, period),
        )

    _add_answer_pages(router, show, sources)
    for kind in sections():
        _add_section_page(router, show, kind)
    _add_service_pages(router, show)
    _add_evidence_pages(router, show, sources)
    _add_ingest_page(router, sources, templates)
    return router


def _add_answer_pages(router: APIRouter, show: Callable[..., str], sources: Sources) -> None:
    @router.get("/")
    def overview(request: Request) -> str:
        return show(request, "overview.html", _overview)

    @router.get("/chains")
    def chains(request: Request) -> str:
        return show(request, "chains.html", _chains)

    @router.get("/chains/operation")
    def chain(request: Request, service: str, operation: str) -> str:
        def content(document: AnalysisDocument, period: str) -> Mapping[str, Any]:
            entry = _entry(document, service, operation)
            example = _example(sources, entry)
            hops = tail_by_entry(document["tail"]).get((service, operation), [])
            charts = [depth_distribution(entry, period), latency_histogram(entry, period)]
            return {"entry": entry, "charts": charts, "example": example, "hops": hops}

        return show(request, "chain.html", content)

    @router.get("/tail")
    def tail(request: Request) -> str:
        return show(request, "tail.html", _tail)

    @router.get("/deployments")
    def deployments(request: Request) -> str:
        return show(request, "deployments.html", _deployments)


def _add_section_page(router: APIRouter, show: Callable[..., str], kind: SectionKind) -> None:
    def content(document: AnalysisDocument, period: str) -> Mapping[str, Any]:
        findings = [finding for finding in document["findings"] if topic_of(finding["rule"]) == kind.topic]
        return {"section": kind.describe(document, period), "title": kind.title, "findings": findings}

    @router.get(f"/{kind.topic}", name=kind.topic)
    def page(request: Request) -> str:
        return show(request, "section.html", content)


def _add_service_pages(router: APIRouter, show: Callable[..., str]) -> None:
    @router.get("/services")
    def services(request: Request) -> str:
        return show(request, "services.html", _services)

    @router.get("/services/{name:path}")
    def service(request: Request, name: str) -> str:
        return show(request, "service.html", lambda document, _: _service(document, name))


def _add_evidence_pages(router: APIRouter, show: Callable[..., str], sources: Sources) -> None:
    @router.get("/traces")
    def find(request: Request, trace_id: str) -> str:
        return trace(request, trace_id.strip())

    @router.get("/traces/{trace_id}")
    def trace(request: Request, trace_id: str) -> str:
        found, told = find_trace_in_full(sources.traces, trace_id)
        begins = text.time(_iso_second(found), seconds=True)
        about = {"trace": found, "told": told, "trace_id": trace_id.lower(), "begins": begins}
        return show(request, "trace.html", lambda *_: about)

    @router.get("/quality")
    def quality(request: Request) -> str:
        return show(request, "quality.html", lambda *_: {}, without_data=True)

    @router.get("/method")
    def method(request: Request) -> str:
        return show(request, "method.html", lambda *_: {}, without_data=True)


def _add_ingest_page(router: APIRouter, sources: Sources, templates: Environment) -> None:
    @router.get("/ingest")
    def ingest(request: Request) -> str:
        # Of the process, not of an environment or period; it must answer under load and without a database, too.
        selection = select(request.query_params, None)
        refresh_s = None if request.query_params.get("refresh") == "off" else _REFRESH_S
        return templates.get_template("ingest.html").render(
            path=request.url.path,
            link=selection.link,
            environments=[],
            kept={},
            refresh_s=refresh_s,
            **ingest_page(sources.status.receiving()),
        )


def _overview(document: AnalysisDocument, _period: str) -> Mapping[str, Any]:
    topics = [(kind.title, section.answer) for kind, section in described(document)]
    return {"answers": answers(document), "topics": topics}


def _chains(document: AnalysisDocument, period: str) -> Mapping[str, Any]:
    entries = document["entry_operations"]
    known = [entry for entry in entries if entry["depth"]["p95"]["value"] is not None]
    worst = max(known, key=lambda entry: (entry["depth"]["p95"]["value"] or 0.0, entry["traces"]), default=None)
    chains = [(entry, chain) for entry in entries for chain in entry["chains"]]
    chains.sort(key=lambda item: (-item[1]["hops"], -item[1]["traces"], item[1]["services"]))
    return {
        "entries": entries[:_MOST_ROWS],
        "worst": worst,
        "charts": [depth_distribution(worst, period)] if worst else [],
        "deepest": chains[:10],
    }


def _tail(document: AnalysisDocument, period: str) -> Mapping[str, Any]:
    grouped = tail_by_entry(document["tail"])
    order = sorted(grouped, key=lambda entry: (-grouped[entry][0]["traces"], entry))
    known = [entry for entry in order if grouped[entry][0]["share"] is not None]
    unknown = [grouped[entry][0] for entry in order if grouped[entry][0]["share"] is None]
    parts = [
        {
            "hops": grouped[entry],
            "chart": tail_attribution(grouped[entry], period),
            "edges": tail_edges(grouped[entry]),
        }
        for entry in known[:_MOST_TAIL_CHARTS]
    ]
    return {"parts": parts, "more": known[_MOST_TAIL_CHARTS:], "unknown": unknown}


def _deployments(document: AnalysisDocument, period: str) -> Mapping[str, Any]:
    codeployment = document["codeployment"]
    pairs = codeployment["pairs"]
    return {
        "codeployment": codeployment,
        "charts": {
            "timeline": deployment_timeline(codeployment, period) if codeployment["deployments"] else None,
            "pairs": pair_matrix(codeployment, period)
            if any(pair["excess_low"] is not None for pair in pairs)
            else None,
            "lag": lead_lag(codeployment, period) if any(pair["label"] in COUPLED for pair in pairs) else None,
        },
        "pairs": pairs[:_MOST_ROWS],
    }


def _services(document: AnalysisDocument, period: str) -> Mapping[str, Any]:
    calls_in: Counter[str] = Counter()
    callees: dict[str, set[str]] = {}
    for edge in document["edges"]:
        calls_in[edge["callee"]] += edge["calls"]
        if edge["callee_kind"] == "service":
            callees.setdefault(edge["caller"], set()).add(edge["callee"])
    accused = Counter(name for finding in document["findings"] for name in set(finding["subjects"]))
    deployed = Counter(row["service"] for row in document["codeployment"]["deployments"])
    charts = [call_graph(document["edges"], period)] if document["edges"] else []
    about = {"calls_in": calls_in, "callees": callees, "accused": accused, "deployed": deployed}
    return {"services": document["quality"]["service_list"], "charts": charts, **about}


def _service(document: AnalysisDocument, name: str) -> Mapping[str, Any]:
    codeployment = document["codeployment"]
    about = {
        "seen": next((row for row in document["quality"]["service_list"] if row["service"] == name), None),
        "inward": [edge for edge in document["edges"] if edge["callee"] == name],
        "outward": [edge for edge in document["edges"] if edge["caller"] == name],
        "entries": [entry for entry in document["entry_operations"] if entry["service"] == name],
        "deployments": [row for row in codeployment["deployments"] if row["service"] == name][::-1][:_MOST_ROWS],
        "solo": next((row for row in codeployment["services"] if row["service"] == name), None),
        "pairs": [
            pair for pair in codeployment["pairs"] if name in {pair["a"], pair["b"]} and pair["label"] != "untested"
        ],
        "findings": [finding for finding in document["findings"] if _concerns(finding["subjects"], name)],
    }
    if not any(about.values()):
        raise HTTPException(404, "No such service was seen in this environment and period.")
    return {"name": name, "edge_table": edge_table, **about}


def _concerns(subjects: list[str], service: str) -> bool:
    return any(subject == service or subject.startswith(f"{service} ") for subject in subjects)


def _entry(document: AnalysisDocument, service: str, operation: str) -> EntryOperationDocument:
    for entry in document["entry_operations"]:
        if entry["service"] == service and entry["operation"] == operation:
            return entry
    raise HTTPException(404, "No such entry operation was seen in this environment and period.")


def _example(sources: Sources, entry: EntryOperationDocument) -> tuple[str, Waterfall] | None:
    """The first example of the deepest chain whose raw spans are still kept."""
    for chain in sorted(entry["chains"], key=lambda chain: -chain["hops"])[:3]:
        for trace_id in chain["trace_ids"]:
            try:
                return trace_id, find_trace(sources.traces, trace_id)
            except HTTPException:
                continue
    return None


def _kept_parameters(request: Request) -> dict[str, str]:
    """What the selector's form must repeat so that a page stays about its subject."""
    return {name: request.query_params[name] for name in ("service", "operation") if name in request.query_params}


def _iso_second(trace: Waterfall) -> str:
    return datetime.fromtimestamp(trace.start_ns / 1e9, UTC).isoformat()
