"""What is concluded about systems that these tests did not make up: samples with planted truth, and public traces."""

from pathlib import Path
from typing import Any

import pytest

from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.describe import describe
from tracelith.ingest.importing import import_paths
from tracelith.store import Store

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"


def concluded(path: Path) -> dict[str, Any]:
    with Store.open(None) as store:
        engine = Engine(store, registered_analyses())
        writer = SpanWriter(store)
        import_paths([path], lambda raw: writer.write([describe(raw)]))
        engine.analyse_stale()
        period = store.period()
        assert period is not None
        return dict(engine.conclude(None, *period))


def test_the_login_sample_shows_its_planted_depth_and_tail() -> None:
    document = concluded(SAMPLES / "login" / "traces-0001.otlp.jsonl.gz")

    login = next(entry for entry in document["entry_operations"] if entry["operation"] == "POST /login")
    rules = {finding["rule"]: finding for finding in document["findings"]}
    assert login["depth"]["p95"]["value"] == 4
    assert rules["deep-synchronous-chain"]["subjects"][0] == "gateway POST /login"
    assert rules["remote-tail-hop"]["subjects"] == ["gateway POST /login", "permissions"]


def test_the_payment_sample_shows_its_depth_and_the_mail_that_slow_purchases_wait_for() -> None:
    document = concluded(SAMPLES / "payment" / "traces-0001.otlp.jsonl.gz")

    checkout = next(entry for entry in document["entry_operations"] if entry["operation"] == "POST /checkout")
    slowest = next(row for row in document["tail"] if row["operation"] == "POST /checkout")
    assert checkout["depth"]["p95"]["value"] == 5
    assert slowest["hop"] == "email → smtp.mail-provider.example:443"
    assert slowest["share"] > 0.7


@pytest.mark.parametrize(("system", "most_hops"), [("healthy", 0), ("trading", 1), ("gateway", 1)])
def test_the_sample_of_a_healthy_system_gets_no_warning(system: str, most_hops: int) -> None:
    document = concluded(SAMPLES / system / "traces-0001.otlp.jsonl.gz")

    assert [finding for finding in document["findings"] if finding["severity"] != "info"] == []
    assert max(entry["depth"]["p95"]["value"] or 0 for entry in document["entry_operations"]) == most_hops


def test_20_simpson_a_shallow_shop_whose_one_operation_mixes_requests_is_not_accused(shared_data: Path) -> None:
    document = concluded(shared_data / "otlp" / "online_boutique_no_kinds.jsonl.gz")

    assert max(entry["depth"]["max"] for entry in document["entry_operations"]) <= 2
    # Its front end really asks for each product of a page, and for each price in another currency, one by one.
    assert {finding["rule"] for finding in document["findings"]} == {"chatty-calls", "nano-service"}


@pytest.mark.parametrize("load", ["25", "150"])
def test_the_hotels_tail_is_attributed_to_the_service_that_makes_it(shared_data: Path, load: str) -> None:
    document = concluded(shared_data / "jaeger" / f"hotel_load{load}.json.gz")

    (entry,) = document["entry_operations"]
    assert (entry["depth"]["p95"]["value"], entry["depth"]["max"]) == (2, 2)
    assert document["tail"][0]["hop"] == "reservation"
    assert document["tail"][0]["share"] > 0.6
