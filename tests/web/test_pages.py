"""What the pages say, read over real HTTP."""

import html
import re
from importlib.resources import files

import pytest

from document_parts import TRACE_IDS
from documents import empty_document, healthy_document
from findings import repeating_document
from tracelith.present.sections import sections

BANDS = ("typical", "elevated", "high", "extreme", "normal", "watch", "dominant", "unknown")
PAGES = (
    "/",
    "/chains",
    "/chains/operation?service=gateway&operation=POST%20%2Flogin",
    "/tail",
    "/deployments",
    "/services",
    "/services/auth",
    f"/traces/{TRACE_IDS[0]}",
    "/quality",
    "/ingest",
    "/method",
    *(f"/{kind.topic}" for kind in sections()),
)


def words(page: str) -> str:
    """The text of a page as a reader sees it."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", body)))
    return text.replace("\xa0", " ")


def test_the_overview_answers_the_three_questions_and_lists_every_finding(client, site):
    text = words(client.get("/").text)

    assert site.answer["verdict"]["sentence"] in text
    assert "wait for at most 4 hops in a row" in text
    assert "Most of all permissions, in POST /login." in text
    assert "auth, billing, permissions and user deploy together." in text
    for finding in site.answer["findings"]:
        assert finding["title"] in text
        assert finding["advice"] in text
    assert text.index("could be used in full") < text.index("Findings")


def test_the_overview_tells_two_findings_of_a_kind_in_full_and_folds_the_others(client, site):
    site.answer = repeating_document(5)

    page = client.get("/").text

    assert page.count('<article class="finding') == 2
    assert "3 more of this kind" in words(page)
    assert all(f"Login {number} waits." in words(page) for number in range(1, 6))


def test_a_finding_about_an_incident_says_when_the_worst_one_was(client, site):
    when = {"occurrences": 3, "start": "2026-01-05T12:00:00Z", "end": "2026-01-05T15:00:00Z"}
    site.answer["findings"][0]["evidence"] |= when

    assert "worst of 3 times: 2026-01-05 12:00 UTC to 2026-01-05 15:00 UTC" in words(client.get("/").text)


def test_the_overview_answers_every_other_topic_below_and_leads_to_its_page(client, site):
    page = client.get("/").text

    text = words(page)
    answered = [kind.describe(site.answer, "").answer for kind in sections()]
    places = [text.index(answer.question) for answer in answered]
    assert places == sorted(places)
    assert text.index("Which services deploy together?") < places[0]
    assert all(answer.claim in text and answer.reading in text for answer in answered)
    assert all(f'href="/{kind.topic}"' in page for kind in sections())


def test_a_healthy_system_is_accused_of_nothing_and_silence_is_not_sold_as_health(client, site):
    site.answer = healthy_document()

    page = client.get("/").text

    assert "No findings" in page
    assert "What was not measured is no sign of health" in page
    assert 'class="badge critical"' not in page
    assert 'class="badge warning"' not in page


def test_while_there_is_no_data_each_page_says_where_to_send_it(client, site):
    site.known, site.answer = None, empty_document()

    for path in ("/", "/chains", "/tail", "/deployments", "/services"):
        text = words(client.get(path).text)
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317" in text
        assert "endpoint: 127.0.0.1:4317" in text


def test_quality_and_method_work_before_the_first_trace(client, site):
    site.known, site.answer = None, empty_document()

    assert "Not enough data: no traces in this period" in words(client.get("/quality").text)
    assert "False positives" in client.get("/method").text


def test_quality_says_which_service_brought_too_many_names_and_what_that_costs(client, site):
    row = {"service": "<b>shop", "texts": "span names", "spans": 5_000, "share": 0.25}
    site.answer["quality"]["folded"] = [row | {"consequence": "Counted together.", "remedy": "Fix the names."}]

    page = client.get("/quality").text

    assert "<b>shop" not in page
    assert "Too many to be kept apart" in words(page)
    assert "<b>shopspan names5,00025 %Counted together.Fix the names." in words(page)


def test_a_large_share_that_is_no_slow_hop_is_explained(client, site):
    site.answer["tail"][0] |= {"band": "normal", "slow_hop": False}

    text = words(client.get("/tail").text)

    assert "each visit takes about as long" in text


def test_no_code_of_the_document_is_also_the_name_of_a_layout() -> None:
    style = files("tracelith.web").joinpath("static", "style.css").read_text(encoding="utf-8")

    layouts = set(re.findall(r"^\s*\.([\w-]+) \{[^}]*\bdisplay:", style, re.MULTILINE))

    assert layouts
    assert not layouts & {"pair", "group", "calendar", "none", "untested", *BANDS}


@pytest.mark.parametrize("path", PAGES)
def test_a_period_without_anything_in_it_still_has_all_its_pages(client, site, path):
    site.answer = empty_document()

    answer = client.get(path)

    assert answer.status_code in ({404} if "auth" in path or "operation" in path else {200})


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_somewhere_and_keeps_environment_and_period(client, path):
    joint = "&" if "?" in path else "?"
    page = client.get(f"{path}{joint}environment=production&since=7d").text

    links = {html.unescape(link) for link in re.findall(r'href="([^"#]+)"', page)}
    assert all(link.startswith("/") for link in links)
    for link in links:
        if not link.startswith(("/static/", "/api/", "/metrics")):
            assert "environment=production&since=7d" in link
        if not any(gone in link for gone in TRACE_IDS[1:]):
            assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_no_inline_script_and_no_inline_style(client, path):
    page = client.get(path).text

    assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", page)
    assert not re.search(r"<[^>]*\sstyle=", page)
    assert not re.search(r"<[^>]*\son[a-z]+=", page)
    assert "<style" not in page


def test_a_failed_analysis_is_said_on_the_overview(client, site):
    site.answer["analyses"][1]["error"] = "ZeroDivisionError"

    assert "failed, so its part is missing: ZeroDivisionError" in words(client.get("/").text)


def test_a_tail_too_short_to_matter_is_said_to_be_so(client, site):
    assert "little to win here" not in client.get("/tail").text
    for row in site.answer["tail"]:
        row["material"] = False

    assert "little to win here" in client.get("/tail").text


def test_numbers_without_enough_data_show_the_reason_instead(client):
    page = client.get("/chains/operation", params={"service": "gateway", "operation": "DELETE /account"}).text

    assert "Not enough data: 200 traces are needed, 52 came" in words(page)
    assert "not enough data" in page


def test_every_chart_has_its_numbers_as_a_table_beside_it(client):
    for path in ("/tail", "/deployments", "/services", PAGES[2]):
        page = client.get(path).text
        charts = re.findall(r'<figure class="chart">.*?</figure>', page, re.DOTALL)
        assert charts
        assert all("<table>" in chart and "<figcaption>" in chart for chart in charts)


def test_a_service_page_shows_both_sides_of_it_and_what_is_said_about_it(client):
    text = words(client.get("/services/permissions").text)

    assert "Who calls it" in text
    assert "billing" in text
    assert "postgresql users" in text
    assert "permissions makes 71 % of the slow tail" in text
    assert "2026.20" in text


def test_a_service_whose_name_holds_a_slash_has_a_page(client, site):
    site.answer["quality"]["service_list"][0]["service"] = "shop/gate way?"

    assert "shop/gate way?" in client.get("/services/shop%2Fgate%20way%3F").text


@pytest.mark.parametrize("path", ["/services/nobody", "/traces/zzz", "/chains/operation?service=a&operation=b", "/x"])
def test_what_does_not_exist_is_explained_on_a_page(client, path):
    answer = client.get(path)

    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"].startswith("text/html")
    assert "Back to the overview" in answer.text


def test_a_trace_says_what_each_span_saves_at_most_and_what_that_means(client):
    text = client.get(f"/traces/{TRACE_IDS[0]}").text

    assert "Saves at most</th>" in text
    assert "<strong>Saves at most</strong>: by how much the whole would be shorter" in text
    assert '<span class="only-narrow">saves at most </span>414' in text


def test_a_trace_can_be_found_by_its_id(client):
    page = client.get("/traces", params={"trace_id": f" {TRACE_IDS[0]} "}).text

    assert "12 of 12 spans over 620 ms" in words(page)
