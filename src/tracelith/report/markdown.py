"""The weekly report as Markdown, for chats, wikis and pull requests.

Whatever a template writes is escaped unless it is marked as Markdown already, so that no span name can become a
link, an image, a heading or markup of the page it is pasted into.
"""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tracelith import __version__
from tracelith.present import summaries, text
from tracelith.present.alike import alike, brief_line
from tracelith.present.chart import Table
from tracelith.report import sections
from tracelith.report.weekly import WeeklyReport

__all__ = ["escape_markdown", "render_markdown"]

# Characters that begin or end something anywhere in a line. Those that only matter at its start (#, -, +, digits) are
# harmless: the template always writes something before. A colon in a word or an @ would make links of bare addresses.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&@#$!^{}])|(:)(?=[^\s\d])|(?<=www)(\.)", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")


class _Marked(str):
    """Text that is Markdown already."""

    __slots__ = ()


def render_markdown(report: WeeklyReport) -> str:
    """The report as Markdown with tables (GitHub's dialect), one trailing newline."""
    rendered = (
        _templates().get_template("report.md").render(report=report, document=report.document, version=__version__)
    )
    return _BLANK_LINES.sub("\n\n", rendered).strip() + "\n"


def escape_markdown(untrusted: str) -> str:
    """The text such that it reads as it is, on one line."""
    return _SPECIAL.sub(r"\\\1\2\3", text.printable(untrusted))


def _table(table: Table) -> _Marked:
    lines = [
        [escape_markdown(column.title) for column in table.columns],
        ["---:" if column.numeric else "---" for column in table.columns],
        *([escape_markdown(cell) for cell in row] for row in table.rows),
    ]
    return _Marked("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _finalize(value: Any) -> Any:
    return value if isinstance(value, _Marked) else escape_markdown(str(value))


@cache
def _templates() -> Environment:
    templates = Environment(  # noqa: S701 - this is Markdown; finalize escapes every value for it
        loader=PackageLoader("tracelith.report", "templates"),
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "alike": alike,
        "brief_line": brief_line,
        "count": text.count,
        "metric": text.metric,
        "percent": text.percent,
        "time": text.time,
    }
    templates.globals |= {"s": summaries, "sections": sections, "table": _table}
    return templates
