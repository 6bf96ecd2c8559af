"""The analysis in a terminal: legible at 80 columns, without colour, whatever names spans carry."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from documents import LOGIN_SERVICES, empty_document, healthy_document, login_document
from golden import assert_golden
from topics import ROWS, only_topic
from tracelith.model.document import AnalysisDocument
from tracelith.present.terminal import MOST_ROWS, render_analysis
from tracelith.present.text import printable
from weeks import renamed

GOLDEN = Path(__file__).parent / "golden"
DOCUMENTS = {"login": login_document, "healthy": healthy_document, "empty": empty_document}


def printed(document: AnalysisDocument, width: int = 80, *, color: bool = False) -> str:
    """What reaches a file, or a terminal if colour is asked for."""
    output = io.StringIO()
    system = "truecolor" if color else None
    render_analysis(document, Console(file=output, width=width, force_terminal=color, color_system=system))
    return output.getvalue()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_answers_read_as_agreed(name: str) -> None:
    document = DOCUMENTS[name]()

    text = printed(document)

    assert_golden(GOLDEN / f"{name}.txt", text)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(name: str, width: int) -> None:
    lines = printed(DOCUMENTS[name](), width).splitlines()

    assert max(len(line) for line in lines) <= width
    assert [line for line in lines if line != line.rstrip()] == []


def test_quality_comes_before_the_verdict_and_the_verdict_before_the_answers() -> None:
    text = " ".join(printed(login_document()).split())

    places = [text.index(part) for part in ("could be used in full", "answer and deploy as one", "How deep are")]

    assert places == sorted(places)


def test_numbers_stay_on_one_line_where_80_columns_allow_it() -> None:
    text = printed(login_document())

    assert "310 ms (291–332 ms)" in text
    assert "71 % (64–78 %)  412 ms (330–515 ms)" in text


def test_colour_adds_nothing_that_words_do_not_say() -> None:
    plain, coloured = printed(login_document()), printed(login_document(), color=True)

    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    assert Text.from_ansi(coloured).plain.rstrip() == plain.rstrip()


def test_a_topic_gives_its_answer_and_the_first_rows_of_its_headline_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    only_topic(monkeypatch)

    text = printed(login_document())

    lines = [line.strip() for line in text.splitlines()]
    assert "4  Who uses whose data?" in text
    assert "orders is used by all.  12 %" in lines
    assert sum(line.startswith("orders ") and "12.5 % (10–15 %)" in line for line in lines) == MOST_ROWS
    assert f"and {ROWS - MOST_ROWS} more rows; all of them with --format json" in lines
    assert "Drawn" in lines
    assert "Nothing to show" not in text
    assert "Only on the page" not in text
    assert text.index("Which services deploy together?") < text.index("Who uses whose data?") < text.index("CRITICAL")


@pytest.mark.parametrize("hostile", ["\x1b[2J\x1b[31mpwned", "[red]x[/red][link=https://evil.example]y[/link]"])
def test_names_in_topics_are_neither_escape_sequences_nor_markup(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_topic(monkeypatch, hostile)

    text = printed(login_document(), 200)

    assert "\x1b" not in text
    assert text.count(printable(hostile)) > MOST_ROWS


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("\x1b[2J\x1b[31mpwned", id="escape sequence"),
        pytest.param("\x9b31mpwned", id="single character escape"),
        pytest.param("a\rb\nc\x08", id="cursor movements"),
        pytest.param("\u202egpj.exe", id="right to left override"),
    ],
)
def test_names_cannot_move_the_cursor_or_change_colours(hostile: str) -> None:
    document = renamed(login_document(), LOGIN_SERVICES, hostile)

    text = printed(document)

    forbidden = set(hostile) & set("\x1b\x9b\r\x08\u202e")
    assert forbidden
    assert not forbidden & set(text)


def test_names_are_no_markup() -> None:
    document = renamed(login_document(), ["permissions"], "[red]x[/red][link=https://evil.example]y[/link]:boom:")

    text = printed(document, 200)

    assert "[red]x[/red][link=https://evil.example]y[/link]:boom:" in text


def test_a_failed_analysis_is_named() -> None:
    document = login_document()
    document["analyses"][2]["error"] = "ValueError: no such column"

    text = printed(document, 120)

    assert "Analysis failed: Which hop makes the slowest requests slow: ValueError: no such column" in text


def test_what_is_left_out_is_counted() -> None:
    document = login_document()
    entry = document["entry_operations"][0]
    document["entry_operations"] = [{**entry, "operation": f"GET /{number}"} for number in range(14)]

    text = printed(document)

    assert "and 4 more entry operations" in text
