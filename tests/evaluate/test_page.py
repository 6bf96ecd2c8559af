"""The page of an evaluation: complete in itself, inert, honest about what was not measured, legible everywhere."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evaluations import BOUNDS, evaluation, results
from golden import assert_golden
from tracelith.evaluate.claims import Case
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.page import content_security_policy, render_page
from tracelith.evaluate.page.plots import Point, Series, coverage_plot, interval_plot
from tracelith.evaluate.page.sections import page_of
from tracelith.model.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "<script>fetch('//evil.example')</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><svg onload=alert(1)>",
    "{{ 7*7 }}",
)


class Shown(HTMLParser):
    """Elements and attributes of a page, and what it says, a line for each row, sentence or heading."""

    BLOCKS = frozenset(("h1", "h2", "h3", "p", "li", "tr", "figcaption", "summary", "header", "section", "title"))

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._text: list[str] = []
        self._skipping = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        self._skipping = tag if tag in {"style", "svg"} else self._skipping
        self._text += ["\n"] if tag in self.BLOCKS else [" | "] if tag in {"td", "th"} else []

    def handle_endtag(self, tag: str) -> None:
        self._skipping = "" if tag == self._skipping else self._skipping

    def handle_data(self, data: str) -> None:
        self._text += [] if self._skipping else [" ".join(data.split()) + " "]

    @property
    def lines(self) -> str:
        joined = re.sub(r"[ \xa0]+", " ", "".join(self._text))
        return "\n".join(line.strip(" |") for line in joined.splitlines() if line.strip(" |")) + "\n"


def test_the_page_says_what_it_always_said() -> None:
    assert_golden(GOLDEN / "evaluation.txt", Shown(render_page(evaluation())).lines)


def test_the_headline_names_the_bounds_that_do_not_hold_and_says_so_if_all_do() -> None:
    some, none = page_of(evaluation()), page_of(evaluation(bounds=()))
    good = page_of(evaluation(bounds=BOUNDS[:1]))

    assert some.headline == "2 of 5 bounds do not hold: codeployment-pair (precision), latency-p99 (coverage)."
    assert good.headline == "The one bound holds."
    assert none.headline == "No bounds were set for these figures."


def test_a_bound_that_nothing_reaches_reads_as_unmeasured_or_too_few_and_never_as_met() -> None:
    rows = {row[0]: row[3] for row in page_of(evaluation()).thresholds.rows}

    assert rows == {
        "codeployment-pair: recall": "yes",
        "codeployment-pair: precision": "no: too few to tell",
        "depth-max: met exactly": "yes",
        "codeployment-rate: coverage": "yes: its interval reaches the bound",
        "latency-p99: coverage": "no: not measured",
    }


def test_every_rate_comes_with_its_interval_and_number_of_subjects() -> None:
    section = next(one for one in page_of(evaluation()).sections if one.name == "codeployment-pair")

    ours, other = section.scores.rows

    assert ours[:3] == ("Tracelith", "50 % (95 %: 5.5–95 %) of 6", "75 % (95 %: 30–95 %) of 4")
    assert re.fullmatch(r"\d+ % \(95 %: [\d.]+–[\d.]+ %\) of 12", other[1])


def test_other_methods_stand_beside_ours_with_a_sentence_why_they_differ() -> None:
    sections = {one.name: one for one in page_of(evaluation()).sections}

    assert [one["explanation"] for one in sections["codeployment-pair"].others] == [
        "It counts days and knows no chance."
    ]
    assert sections["depth-max"].others == ()


def test_each_plot_has_a_twin_with_the_same_numbers() -> None:
    section = next(one for one in page_of(evaluation()).sections if one.name == "codeployment-pair")

    recall = next(plot for plot in section.plots if plot.title == "Recall by spans lost")

    assert [column.title for column in recall.table.columns] == ["Spans lost", "Tracelith", "day-counter"]
    assert [row[:2] for row in recall.table.rows] == [
        ("0 %", "75 % (95 %: 30–95 %) of 4"),
        ("5 %", "75 % (95 %: 30–95 %) of 4"),
        ("20 %", "25 % (95 %: 4.6–70 %) of 4"),
    ]


def test_what_was_not_varied_has_no_plot() -> None:
    page = page_of(evaluation(cases=2))

    assert [section.plots for section in page.sections] == [()] * 4
    assert "How it degrades" not in Shown(render_page(evaluation(cases=2))).lines


def test_each_miss_comes_with_a_command_that_tracelith_understands() -> None:
    from typer.testing import CliRunner

    from tracelith.cli.commands import app

    page = page_of(evaluation())
    command = shlex.split(re.sub("<[^>]+>", "", page.misses[0].commands[0]))

    understood = CliRunner().invoke(app, [*command[1:], "--help"])

    assert all(len(group.commands) == len(group.table.rows) > 0 for group in page.misses)
    assert command[:5] == ["tracelith", "simulate", "login", "--seed", "7"]
    assert understood.exit_code == 0
    assert {option for option in command if option.startswith("--")} <= set(re.findall(r"--[a-z-]+", understood.output))


def test_its_command_writes_the_very_run_that_was_evaluated(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tracelith.cli.commands import app

    case = Case("random-codeployment", seed=3, weeks=3, traces=20, train_share=0.7)
    miss = {name: getattr(case, name) for name in ("system", "seed", "weeks", "traces", "train_share")}
    page = page_of(evaluation() | {"misses": [evaluation()["misses"][0] | miss]})
    command = shlex.split(re.sub("<[^>]+>", "", page.misses[0].commands[0]))

    run = CliRunner().invoke(app, [*command[1:-1], str(tmp_path)])

    assert run.exit_code == 0, run.output
    evaluated = simulation_of(case)
    written = (tmp_path / "deployments.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(",")[1:] for line in written] == [[one.service, one.version] for one in evaluated.deployments]
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8")) == json.loads(json.dumps(evaluated.truth))


def test_the_command_writes_the_page_beside_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracelith.cli import evaluating

    monkeypatch.setattr(evaluating, "run_cases", lambda *_args, **_options: results())
    file = tmp_path / "evaluation.html"

    evaluating.evaluate("quick", seed=1, only=[], jobs=1, out=None, page=file, output="json")

    assert "5 runs of simulated systems with planted truth" in Shown(file.read_text(encoding="utf-8")).lines


def test_a_share_of_releases_cannot_be_asked_of_a_story(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tracelith.cli.commands import app

    run = CliRunner().invoke(app, ["simulate", "login", "--train", ".5", "--out", str(tmp_path)])

    assert isinstance(run.exception, InputError)
    assert "--train is for random systems" in str(run.exception)


def test_an_evaluation_without_misses_says_so() -> None:
    document = evaluation() | {"misses": []}

    assert "Nothing: every claim was right, and every interval holds the truth." in Shown(render_page(document)).lines


def test_the_page_holds_no_script_no_inline_style_and_no_reference_to_anything_outside() -> None:
    page = Shown(render_page(evaluation()))

    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.elements)
    names = {name for name, _ in page.attributes}
    assert not {"src", "style", "xlink:href", "action"} & names
    assert not [name for name in names if name.startswith("on")]
    assert all(str(value).startswith("#") for name, value in page.attributes if name == "href")


def test_the_page_forbids_itself_everything_but_its_own_style_sheet() -> None:
    page = Shown(render_page(evaluation()))

    assert ("content", content_security_policy()) in page.attributes
    assert "default-src 'none'" in content_security_policy()
    assert "unsafe" not in content_security_policy()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_subjects_cannot_become_markup(name: str) -> None:
    page = Shown(render_page(evaluation(name=name)))

    assert not {"script", "img"} & set(page.elements)
    assert name in page.lines
    assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")]


def test_links_lead_to_the_question_they_name() -> None:
    page = Shown(render_page(evaluation()))

    ids = [value for name, value in page.attributes if name == "id"]
    links = [str(value)[1:] for name, value in page.attributes if name == "href"]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)


def test_a_line_breaks_where_nothing_was_measured() -> None:
    points = (Point(0.9, 0.8, 1.0), Point(None), Point(0.7, 0.6, 0.8), Point(0.6, 0.5, 0.7))

    drawn = str(interval_plot(["1", "2", "3", "4"], [Series("ours", points)], "weeks"))

    assert drawn.count('class="line ours"') == 1
    assert drawn.count('class="whisker ours"') == drawn.count('class="dot ours"') == 3


def test_coverage_stands_out_only_where_its_whole_interval_lies_outside_of_what_is_asked() -> None:
    rows = [
        ("narrow", Point(0.5, 0.4, 0.6)),
        ("wide", Point(1.0, 0.99, 1.0)),
        ("few", Point(0.9, 0.7, 0.97)),
        ("good", Point(0.95, 0.93, 0.97)),
    ]

    drawn = str(coverage_plot(rows, 0.95, (0.92, 0.98)))

    assert drawn.count('"dot ours narrow"') == drawn.count('"dot ours wide"') == 1
    assert drawn.count("dot ours") == 4


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_complaint_in_any_width_and_light(
    tmp_path: Path, browser: "Browser", scheme: str, width: int
) -> None:
    file = tmp_path / "evaluation.html"
    file.write_text(render_page(evaluation()), encoding="utf-8")
    page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))

    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    assert said == []
    assert asked == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The style sheet was let in by its hash; words of plots can be read, and lines seen on their ground.
    scale = page.evaluate("(plot => plot.getBoundingClientRect().width / 340)(document.querySelector('.plot'))")
    assert 11 * scale >= 9
    stroke = page.evaluate("getComputedStyle(document.querySelector('.line.ours')).stroke")
    assert stroke == ("rgb(109, 176, 230)" if scheme == "dark" else "rgb(36, 120, 181)")
    page.context.close()


@pytest.mark.browser
def test_on_paper_no_table_is_cut_off(tmp_path: Path, browser: "Browser") -> None:
    file = tmp_path / "evaluation.html"
    file.write_text(render_page(evaluation()), encoding="utf-8")
    page = browser.new_context(color_scheme="dark", viewport={"width": 680, "height": 960}).new_page()
    page.goto(file.as_uri())

    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    widest = page.evaluate("Math.max(...[...document.querySelectorAll('table')].map(table => table.scrollWidth))")
    assert widest <= 680
    page.context.close()
