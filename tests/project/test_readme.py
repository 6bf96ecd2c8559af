"""The README says what the code says."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from typer.main import get_command

from golden import assert_golden
from tracelith.analysis.registry import registered_analyses
from tracelith.cli import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATH = re.compile(r"(?:\./)?\.?\w[\w.-]*/(?:[\w.-]+/)*(?:[\w.-]*[a-z_][\w.-]*)?|[\w-]+\.(?:py|toml|lock|md)")
"""Not `/ingest`, which is a page, nor `tracelith.analysis/1`, which is a schema."""
SHOWN_SECTIONS = ("Question", "Reading", "Needs", "False positives")


def analyses_as_markdown() -> str:
    """What the README should show of the analyses: sections of their docstrings, word for word."""
    parts = []
    for analysis in sorted(registered_analyses(), key=lambda one: one.title):
        lines = [f"- **{name}:** {analysis.sections[name]}" for name in SHOWN_SECTIONS]
        parts.append("\n".join([f"### {analysis.title}", "", *lines]))
    return "\n\n".join(parts)


def test_the_readme_shows_the_sections_of_every_analysis_word_for_word() -> None:
    before, begin, rest = README.partition("<!-- analyses: begin")
    comment, end_of_comment, rest = rest.partition("-->\n")
    _, end, after = rest.partition("\n<!-- analyses: end -->")

    expected = "".join((before, begin, comment, end_of_comment, analyses_as_markdown(), end, after))

    assert begin
    assert end
    assert_golden(ROOT / "README.md", expected)


def test_every_command_is_in_the_readme() -> None:
    documented = set(re.findall(r"`tracelith (\w+)", README))

    assert set(get_command(app).commands) <= documented  # type: ignore[attr-defined]  # the app is a group


def test_the_commands_of_the_readme_exist_and_are_executable() -> None:
    scripts = re.findall(r"^\./(\S+)", README, re.MULTILINE)

    assert scripts == ["deploy/demo", "tests/run"]
    assert all((ROOT / script).stat().st_mode & 0o111 for script in scripts)


def test_the_files_and_folders_the_readme_names_exist() -> None:
    named = {name for name in re.findall(r"`([^`\s]+)`", README) if PATH.fullmatch(name)}

    missing = {name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "src/tracelith"))}

    assert {"tests/traces.py", "evaluate/sets.py", "store/migrations", "requirements.lock"} <= named
    assert not missing


def test_the_readme_says_what_is_in_every_package() -> None:
    rows = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", README.partition("## How it is built")[2], re.MULTILINE)

    described = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}

    packages = {path.parent.name for path in (ROOT / "src/tracelith").glob("*/__init__.py")}
    assert described == packages | {"app.py", "compiled.py"}


def test_the_constants_the_readme_names_exist() -> None:
    named = {name for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", README) if not name.startswith("TRACELITH_")}
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/tracelith").rglob("*.py"))

    missing = {name for name in named if not re.search(rf"^{name}\b", source, re.MULTILINE)}

    assert "HEALTHY_STORIES" in named
    assert not missing


def test_the_lock_file_pins_what_is_installed() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    installed = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in distributions()}

    wrong = {
        name: (version, installed[name])
        for name, version in locked.items()
        if name in installed and installed[name] != version
    }

    versions_that_differ_by_python = {"numpy", "scipy"}
    assert not {name: pair for name, pair in wrong.items() if name not in versions_that_differ_by_python}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert {re.split(r"[<>=!~\[ ]", one)[0].lower() for one in wanted} <= set(locked)
