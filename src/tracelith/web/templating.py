"""The template engine: everything escaped, everything undefined an error, numbers formatted as everywhere else."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracelith.present import text
from tracelith.present.alike import alike, brief_line
from tracelith.present.answers import topic_of
from tracelith.present.sections import sections
from tracelith.present.summaries import moments
from tracelith.web import assets
from tracelith.web.sources import WebSettings

__all__ = ["page_templates"]


def _unbroken(show: Callable[..., str]) -> Callable[..., str]:
    """Keeps a number and its unit on one line."""
    return lambda *values: show(*values).replace(" ", "\xa0")


def page_templates(settings: WebSettings) -> Environment:
    """Templates of the pages, compiled once; a name or value of a span cannot become markup."""
    templates = Environment(
        loader=PackageLoader("tracelith.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "alike": alike,
        "brief_line": brief_line,
        "bounds": _unbroken(text.bounds),
        "count": text.count,
        "estimate": _unbroken(text.estimate),
        "metric": text.metric,
        "moments": moments,
        "ms": _unbroken(text.milliseconds),
        "number": text.number,
        "p_value": text.p_value,
        "percent": _unbroken(text.percent),
        "plain": text.plain,
        "printable": text.printable,
        "time": _unbroken(text.time),
        "value": _unbroken(lambda value, unit="": text.format_of(unit)(value)),
    }
    templates.globals |= {
        "asset": assets.asset_url,
        "plotly_style_ids": assets.plotly_style_ids,
        "section_pages": [(f"/{kind.topic}", kind.title) for kind in sections()],
        "settings": settings,
        "topic_of": topic_of,
    }
    return templates
