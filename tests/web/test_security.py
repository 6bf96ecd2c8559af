"""What stands between the dashboard and a hostile page."""

import httpx
import pytest

from tracelith.web import WebSettings
from tracelith.web.assets import assets, plotly_style_ids
from website import serve

DEPLOYMENT = {"service": "auth", "version": "2.1"}


@pytest.mark.parametrize("path", ["/", "/nope", "/api/v1/analysis", "/api/v1/traces/x", "/readyz"])
def test_every_response_carries_the_strict_headers(client, path):
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_crash_shows_no_detail_but_the_same_headers(client, site):
    site.answer = None

    answer = client.get("/api/v1/findings")

    assert answer.status_code == 500
    assert "NoneType" not in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
def test_a_page_that_rebinds_its_name_to_this_address_is_refused(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1"])
def test_loopback_is_answered_under_each_of_its_names(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_configured_host_names_are_answered(site):
    app = site.app(WebSettings(allowed_hosts=("tracelith.team.internal",)))

    with serve(app) as address:
        answer = httpx.get(f"{address}/healthz", headers={"Host": "tracelith.team.internal"}, trust_env=False)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_page_of_another_site_cannot_write(client, site, headers, status):
    answer = client.post("/api/v1/deployments", json=DEPLOYMENT, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert site.told.is_empty()


def test_our_own_origin_may_write(client):
    origin = str(client.base_url).rstrip("/")

    assert client.post("/api/v1/deployments", json=DEPLOYMENT, headers={"Origin": origin}).status_code == 201


def test_a_body_too_long_is_refused_before_it_is_read(client):
    answer = client.post("/api/v1/deployments", content=b" " * (5 << 20), headers={"Content-Type": "application/json"})

    assert answer.status_code == 413


def test_static_files_are_cached_for_ever_under_the_name_of_their_content(client):
    style = assets()["style.css"]

    current = client.get(f"/static/{style.digest}/style.css")
    outdated = client.get("/static/000000000000/style.css")

    assert current.content == outdated.content == style.content
    assert "immutable" in current.headers["cache-control"]
    assert outdated.headers["cache-control"] == "no-cache"
    assert client.get("/static/x/..%2Fapp.py").status_code == 404


def test_the_styles_that_plotly_would_add_are_found_in_the_installed_version():
    assert plotly_style_ids()
