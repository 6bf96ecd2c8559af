"""The dashboard and the JSON API."""

from tracelith.web.app import create_app
from tracelith.web.sources import DeploymentSource, ProcessStatus, ResultsSource, StatusSource, TraceSource, WebSettings

__all__ = [
    "DeploymentSource",
    "ProcessStatus",
    "ResultsSource",
    "StatusSource",
    "TraceSource",
    "WebSettings",
    "create_app",
]
