"""The weekly report as one HTML file: no script, no request to anywhere, light and dark, made for paper, too."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracelith import __version__
from tracelith.present import summaries, text
from tracelith.present.alike import alike, brief_line
from tracelith.report import sections
from tracelith.report.weekly import WeeklyReport

__all__ = ["content_security_policy", "render_html"]


def render_html(report: WeeklyReport) -> str:
    """The report as a whole page; text from spans is escaped wherever it appears."""
    return (
        _templates()
        .get_template("report.html")
        .render(
            report=report,
            document=report.document,
            style=Markup(_style()),  # noqa: S704 - our own file
            policy=content_security_policy(),
            version=__version__,
        )
    )


def content_security_policy() -> str:
    """What the page may load: nothing, and the one style sheet inside it. Send it when serving a report over HTTP."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return files("tracelith.report").joinpath("templates", "report.css").read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("tracelith.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "alike": alike,
        "brief_line": brief_line,
        "count": text.count,
        "estimate": text.estimate,
        "metric": text.metric,
        "percent": text.percent,
        "printable": text.printable,
        "time": text.time,
    }
    templates.globals |= {"s": summaries, "sections": sections}
    return templates
