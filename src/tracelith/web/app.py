"""Puts the dashboard together: pages, API, static files, and the guards around them."""

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from tracelith.web import assets
from tracelith.web.api import api_router, probe_router
from tracelith.web.metrics import metrics_router
from tracelith.web.pages import page_router
from tracelith.web.problems import handle_problems
from tracelith.web.security import LOOPBACK_HOSTS, SecurityHeaders, WriteGuard
from tracelith.web.sources import DeploymentSource, ResultsSource, Sources, StatusSource, TraceSource, WebSettings
from tracelith.web.templating import page_templates

__all__ = ["create_app"]


def create_app(
    *,
    results: ResultsSource,
    traces: TraceSource,
    deployments: DeploymentSource,
    status: StatusSource,
    settings: WebSettings | None = None,
) -> FastAPI:
    """The dashboard and JSON API as one ASGI application that makes no request of its own.

    FastAPI's documentation pages load scripts from elsewhere, so there are none; ``/api/openapi.json`` is served.
    """
    settings = settings or WebSettings()
    sources = Sources(results, traces, deployments, status)
    hosts = (*LOOPBACK_HOSTS, *settings.allowed_hosts)
    templates = page_templates(settings)
    app = FastAPI(
        title="Tracelith",
        version=settings.version or "0",
        summary="Tells from traces whether services can deploy, scale, fail and own their data independently.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api_router(sources))
    app.include_router(probe_router(sources))
    app.include_router(metrics_router(status, app.version))
    app.include_router(assets.router)
    app.include_router(page_router(sources, settings, templates))
    handle_problems(app, templates)
    # The last one added sees a request first, and a response last.
    app.add_middleware(WriteGuard, own_hosts=hosts)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(SecurityHeaders)
    return app
