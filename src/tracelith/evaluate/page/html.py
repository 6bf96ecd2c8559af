"""The evaluation as one HTML page in the look of the weekly report: no script, no request to anywhere, light and dark.

Plots are drawn on the server as small SVGs (see plots.py) instead of by the dashboard's plotting library, which would
put five megabytes of script into every file and a hole for it into the policy.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracelith.evaluate.page.sections import page_of
from tracelith.present import text

__all__ = ["content_security_policy", "render_page"]


def render_page(evaluation: Mapping[str, Any]) -> str:
    """The whole page; whatever text the document holds is escaped.

    Args:
        evaluation: a document of schema ``tracelith.evaluation/1``, see summary.py.
    """
    return (
        _templates()
        .get_template("evaluation.html")
        .render(
            page=page_of(evaluation),
            style=Markup(_style()),  # noqa: S704 - our own files
            policy=content_security_policy(),
            version=evaluation["version"],
        )
    )


def content_security_policy() -> str:
    """What the page may load: nothing, and the one style sheet inside it."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    """The report's style sheet and what this page adds."""
    report = files("tracelith.report").joinpath("templates", "report.css")
    own = files("tracelith.evaluate.page").joinpath("templates", "evaluation.css")
    return report.read_text(encoding="utf-8") + own.read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    # Tables are written by the report's macro, whose neighbours need the filters.
    loader = ChoiceLoader(
        [PackageLoader("tracelith.evaluate.page", "templates"), PackageLoader("tracelith.report", "templates")]
    )
    templates = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {"count": text.count, "metric": text.metric, "printable": text.printable}
    return templates
