"""The pages in a real Chromium: what runs, what is drawn, what fits, what can be read."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from document_parts import TRACE_IDS
from documents import healthy_document, login_document
from website import Site, login_trace

pytestmark = pytest.mark.browser

OPERATION = "/chains/operation?service=gateway&operation=POST%20%2Flogin"
PAGES = (
    "/",
    "/chains",
    OPERATION,
    "/tail",
    "/deployments",
    "/services",
    "/services/auth",
    "/quality",
    "/ingest",
    "/method",
)
WITH_CHARTS = ("/chains", OPERATION, "/tail", "/deployments", "/services")

CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const poor = [];
  for (const element of document.querySelectorAll("main *, header *, footer *")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    if (element.closest("svg, script, noscript, option, template, .visually-hidden")) continue;
    let behind = element, back = [0, 0, 0, 0];
    while (behind && (back = parse(getComputedStyle(behind).backgroundColor)).length === 4 && back[3] === 0) {
      behind = behind.parentElement;
    }
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${element.className} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


FOREIGN = """() => [
  ...[...document.links].filter((link) => new URL(link.href).host !== location.host).map((link) => link.href),
  ...[...document.querySelectorAll("svg a, main img, main b, main style, svg[onload]")].map((node) => node.outerHTML),
]"""


class Visit:
    """One page opened in a browser, and everything it complained about or asked of others."""

    def __init__(self, page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def go(self, path: str) -> None:
        response = self.page.goto(self.address + path)
        assert response.status == 200, path
        if self.page.query_selector("script[data-chart]"):
            self.page.wait_for_selector("html[data-charts=drawn]", timeout=15_000)


def eventually(visitor: Visit, condition: str) -> None:
    """Waits up to five seconds; Playwright's own waiting evaluates text in the page, which the policy forbids."""
    deadline = time.monotonic() + 5
    while not visitor.page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        visitor.page.wait_for_timeout(50)


@pytest.fixture
def visit(browser, client):
    @contextmanager
    def open_page(**options: object) -> Iterator[Visit]:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        try:
            yield Visit(context.new_page(), str(client.base_url).rstrip("/"))
        finally:
            context.close()

    return open_page


@pytest.mark.parametrize("document", [login_document, healthy_document])
def test_pages_run_without_a_complaint_and_ask_nobody_else_for_anything(visit, site, document):
    site.answer = document()
    entry = site.answer["entry_operations"][0]
    operation = f"/chains/operation?service={entry['service']}&operation={entry['operation'].replace('/', '%2F')}"

    with visit() as visitor:
        for path in (
            "/",
            "/chains",
            operation,
            "/tail",
            "/deployments",
            "/services",
            f"/traces/{TRACE_IDS[0]}",
            "/quality",
            "/ingest",
        ):
            visitor.go(path)

        assert visitor.complaints == []
        assert all(url.startswith(visitor.address) for url in visitor.requests)


def test_every_chart_is_drawn_with_its_marks(visit):
    with visit() as visitor:
        for path in WITH_CHARTS:
            visitor.go(path)
            for target in visitor.page.query_selector_all(".target"):
                drawn = target.evaluate("e => e.querySelectorAll('.trace path, .heatmaplayer image').length")
                assert drawn > 0, (path, target.get_attribute("id"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_all_text_has_enough_contrast(visit, scheme):
    with visit(viewport={"width": 390, "height": 800}, color_scheme=scheme) as visitor:
        for path in (*PAGES, f"/traces/{TRACE_IDS[0]}"):
            visitor.go(path)
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert visitor.page.evaluate(CONTRASTS) == [], path


def test_charts_take_the_colours_of_dark_mode_when_it_is_switched_on(visit):
    colour = "document.querySelector('.xtick text').style.fill"
    with visit(color_scheme="light") as visitor:
        visitor.go("/chains")
        light = visitor.page.evaluate(colour)

        visitor.page.emulate_media(color_scheme="dark")
        eventually(visitor, f"{colour} !== '{light}'")

        assert visitor.complaints == []


def test_charts_follow_the_width_of_the_window(visit):
    width = "document.querySelector('.target .main-svg').getBoundingClientRect().width"
    with visit() as visitor:
        visitor.go("/chains")
        wide = visitor.page.evaluate(width)

        visitor.page.set_viewport_size({"width": 500, "height": 800})
        eventually(visitor, f"{width} < {wide} - 300")


def test_the_keyboard_reaches_the_content_first_and_always_sees_where_it_is(visit):
    with visit() as visitor:
        visitor.go("/deployments")
        visitor.page.keyboard.press("Tab")
        assert visitor.page.evaluate("document.activeElement.className") == "skip"
        visitor.page.keyboard.press("Enter")
        assert visitor.page.evaluate("document.activeElement.id") == "main"

        for _ in range(12):
            visitor.page.keyboard.press("Tab")
            outline = visitor.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"


def test_the_selector_changes_period_and_keeps_the_subject(visit):
    with visit() as visitor:
        visitor.go(OPERATION)
        visitor.page.select_option("select[name=since]", "7d")
        visitor.page.click(".selector button")

        assert re.search(r"service=gateway&operation=POST\+%2Flogin.*since=7d", visitor.page.url)
        assert "POST /login" in visitor.page.inner_text("h1")


HOSTILE = {
    "auth": "<script>window.pwned=1</script>",
    "permissions": '"><img src=x onerror=window.pwned=1>',
    "gateway": "</script><a href='https://evil.example/'>free</a>",
    "billing": "{{7*7}}{% raw %}%{customdata}$x$",
    "POST /login": "<svg/onload=window.pwned=1>\"'><b>GET</b>",
    "2026.20": "<style>*{display:none}</style>",
}


def hostile(value: object) -> object:
    """The login document with every hostile name in place of the ordinary one."""
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    if isinstance(value, str):
        for name, attack in HOSTILE.items():
            value = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", lambda _, attack=attack: attack, value)
    return value


def test_names_in_spans_are_text_and_nothing_else(visit, site: Site):
    site.answer = hostile(login_document())
    site.views = {int(TRACE_IDS[0], 16): login_trace(rename=HOSTILE)}

    with visit() as visitor:
        visitor.go("/chains")
        operation = visitor.page.get_attribute("a[href*='/chains/operation']", "href")
        visitor.go("/services")
        services = [link.get_attribute("href") for link in visitor.page.query_selector_all("td a[href*='/services/']")]
        for path in (
            "/",
            "/chains",
            operation,
            "/tail",
            "/deployments",
            *services[:4],
            "/quality",
            f"/traces/{TRACE_IDS[0]}",
        ):
            visitor.go(path)
            page = visitor.page
            for target in page.query_selector_all(".target"):  # hover labels are drawn late
                target.scroll_into_view_if_needed()
                target.hover()
            assert page.evaluate("window.pwned") is None, path
            assert page.evaluate(FOREIGN) == [], path

        assert visitor.complaints == []
        assert all(url.startswith(visitor.address) for url in visitor.requests)
        visitor.go("/services")
        shown = visitor.page.inner_text("main")
        assert all(HOSTILE[name] in shown for name in ("auth", "permissions", "gateway", "billing"))
