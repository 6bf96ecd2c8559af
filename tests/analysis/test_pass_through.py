"""Which services are said only to hand requests on, which are spared, and when a system is cut by layer."""

from typing import Any

import polars as pl
import pytest

from analysis.pipelines import PERIOD, batches
from tracelith.analysis.layers.facts import HANDED_ON
from tracelith.analysis.layers.operations import judged_operations, operation_document
from tracelith.analysis.registry import registered_analyses
from tracelith.analysis.running.engine import Engine
from tracelith.model.declarations import Declarations
from tracelith.store import Store
from traces import window_of

NEEDED = ("calls", "synchronous_depth", "pass_through")
"""The analyses whose facts are read."""

HANDING_ON = """
shop SERVER GET /order 0..60ms
  shop CLIENT select 1..5ms db=postgresql namespace=shop object=orders
  shop CLIENT mid 6..56ms
    mid SERVER GET /m 7..55ms method=GET route=/m
      mid CLIENT data 7.2..54.8ms
        data SERVER GET /d 8..54ms method=GET route=/d
          data CLIENT select 9..50ms db=postgresql namespace=data object=rows
"""


def concluded(text: str, *, copies: int = 60, declared: Declarations | None = None) -> dict[str, Any]:
    """The document of so many of each trace."""
    analyses = [one for one in registered_analyses() if one.name in NEEDED]
    with Store.open(None) as store:
        engine = Engine(store, analyses, declarations=lambda: declared or Declarations())
        store.append(list(batches(window_of(text, copies=copies))))
        engine.analyse_stale()
        return dict(engine.conclude(None, *PERIOD))


def service(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in document["layers"]["services"] if row["service"] == name)


def accused(document: dict[str, Any]) -> list[tuple[str, ...]]:
    rules = ("pass-through-service", "layer-split")
    return [tuple(one["subjects"]) for one in document["findings"] if one["rule"] in rules]


def label(text: str, name: str = "mid", **more: Any) -> tuple[str, str]:
    """Label and its reason; a service that is spared must not be accused either."""
    document = concluded(text, **more)
    row = service(document, name)
    assert (row["label"] == "pass_through") == ((name,) in accused(document))
    return row["label"], row["label_reason"]


def test_11_index_of_one_call_and_others_time_and_purity() -> None:
    keys = {"service": "mid", "operation": "GET /m"}
    sums = dict.fromkeys(HANDED_ON.sums, 0)
    # Of 190 with one call, 184 call the usual operation; the median's own share lies a fifth into .075 to .1.
    counted = [("usual", 2, 75), ("usual", 3, 100), ("usual", 12, 9), ("other", 12, 6)]
    single = [
        keys
        | {"callee": "data", "callee_operation": called, "own_share": bucket}
        | sums
        | {"requests": count, "timed": count, "lighter": count}
        for called, bucket, count in counted
    ]
    none = keys | {"callee": "", "callee_operation": "", "own_share": -1} | sums | {"requests": 10}
    schema = {name: kind for name, kind in HANDED_ON.schema.items() if name not in ("window_ns", "environment")}

    row = judged_operations(pl.DataFrame([*single, none], schema=schema)).to_dicts()[0]
    document = operation_document(row)

    assert document["single_call_share"]["value"] == pytest.approx(0.95)
    assert document["single_call_share"]["ci"][0] == pytest.approx(0.910, abs=0.001)
    assert document["own_time_share"] == pytest.approx(0.08)
    assert document["purity"] == pytest.approx(0.97, abs=0.002)
    assert document["index"]["value"] == pytest.approx(0.848, abs=0.002)
    assert document["index"]["ci"][0] == pytest.approx(0.812, abs=0.002)
    assert document["passes_through"]


def test_11_time_saved_is_what_the_client_waits_longer_than_the_server_works() -> None:
    document = concluded("""
        shop SERVER GET / 0..20ms
          shop CLIENT select 0..4ms db=postgresql object=o
          shop CLIENT mid 4..18ms
            mid SERVER GET /m 4.5..17.5ms
              mid CLIENT data 5..17ms
                data SERVER GET /d 6..15ms
    """)

    assert service(document, "mid")["saved_ms"]["value"] == pytest.approx(3)
    assert service(document, "mid")["hops_saved"] == 1


def test_a_service_that_only_hands_on_is_accused_with_examples_and_what_would_be_saved() -> None:
    document = concluded(HANDING_ON)

    assert accused(document) == [("mid",)]
    finding = next(one for one in document["findings"] if one["rule"] == "pass-through-service")
    assert finding["severity"] == "warning"
    assert finding["title"] == "mid hands 100 % of its requests on to data and adds next to nothing"
    assert len(finding["evidence"]["trace_ids"]) == 3
    assert finding["evidence"]["hops_saved"] == 1
    row = service(document, "mid")
    assert (row["callers"], row["callees"]) == (["shop"], ["data"])
    assert [service(document, name)["label"] for name in ("shop", "data")] == ["works", "works"]


def test_retries_of_one_call_are_one_call() -> None:
    retried = HANDING_ON.replace(
        "      mid CLIENT data 7.2..54.8ms",
        "      mid CLIENT data 7.1..7.15ms ! peer_service=data\n"
        "      mid CLIENT data 7.2..54.8ms attempt=1 peer_service=data",
    )

    assert label(retried)[0] == "pass_through"


def test_a_service_with_own_data_is_not_accused() -> None:
    with_data = HANDING_ON.replace(
        "      mid CLIENT data 7.2",
        "      mid CLIENT get 7.05..7.15ms db=redis namespace=0\n      mid CLIENT data 7.2",
    )

    assert label(with_data) == ("works", "")


def test_a_service_that_sends_messages_is_not_accused() -> None:
    sending = HANDING_ON.replace(
        "      mid CLIENT data 7.2",
        "      mid PRODUCER audit 7.05..7.15ms mq=kafka object=audit\n      mid CLIENT data 7.2",
    )

    assert label(sending) == ("works", "")


def test_a_service_that_computes_before_it_asks_a_slow_one_is_not_accused() -> None:
    # Six of 48 ms are its own: a small share, but much more than the way costs.
    working = HANDING_ON.replace("mid CLIENT data 7.2..54.8ms", "mid CLIENT data 13..54.8ms").replace(
        "data SERVER GET /d 8..54ms", "data SERVER GET /d 13.5..54ms"
    )

    assert label(working) == ("works", "")


def test_work_in_spans_of_its_own_counts_as_work() -> None:
    working = HANDING_ON.replace(
        "      mid CLIENT data 7.2",
        "      mid INTERNAL render 13..30ms\n      mid CLIENT data 7.2",
    ).replace("mid CLIENT data 7.2..54.8ms", "mid CLIENT data 31..54.8ms")
    working = working.replace("data SERVER GET /d 8..54ms", "data SERVER GET /d 31.5..54ms")

    assert label(working.replace("9..50ms", "33..50ms")) == ("works", "")


def test_a_gateway_in_front_of_several_services_is_not_accused() -> None:
    fanned = "".join(HANDING_ON.replace("data", name).replace("/m", f"/m/{name}") for name in ("data", "users", "rows"))

    assert label(fanned) == ("gateway", "it stands before 3 services")


def test_a_service_at_which_requests_come_in_is_not_accused() -> None:
    outside = """
        mid SERVER GET /m 7..55ms
          mid CLIENT data 7.2..54.8ms
            data SERVER GET /d 8..54ms
              data CLIENT select 9..50ms db=postgresql namespace=data object=rows
    """

    assert label(outside) == ("gateway", "requests from outside come in here")


def test_a_few_health_checks_from_outside_make_no_gateway() -> None:
    checked = HANDING_ON * 30 + "\nmid SERVER GET /healthz 0..1ms\n"

    assert label(checked, copies=4)[0] == "pass_through"


def test_a_declared_gateway_is_not_accused() -> None:
    declared = Declarations(gateways=frozenset({"mid"}))

    assert label(HANDING_ON, declared=declared) == ("gateway", "declared to be a gateway")


def test_a_guard_that_turns_requests_away_is_not_accused() -> None:
    refused = """
        shop SERVER GET /order 0..60ms
          shop CLIENT mid 6..56ms refused
            mid SERVER GET /m 7..8ms method=GET route=/m refused
    """

    assert label(HANDING_ON * 9 + refused, copies=20) == (
        "works",
        "it turns 10 % of the requests away itself, as a guard does",
    )


def test_a_cache_in_memory_is_not_accused() -> None:
    hit = """
        shop SERVER GET /order 0..60ms
          shop CLIENT mid 6..56ms
            mid SERVER GET /m 7..8ms method=GET route=/m
    """

    assert label(HANDING_ON * 9 + hit, copies=20) == (
        "cache",
        "it answers 10 % of the requests without asking anybody, as a cache does",
    )


def test_a_translator_between_protocols_is_not_accused() -> None:
    translated = HANDING_ON.replace("mid CLIENT data 7.2..54.8ms", "mid CLIENT data 7.2..54.8ms protocol=rpc")

    assert label(translated) == ("boundary", "it translates between HTTP and RPC")


def test_an_anti_corruption_layer_between_two_teams_is_not_accused() -> None:
    teams = HANDING_ON.replace("shop ", "sales/shop ").replace("data SERVER", "legacy/data SERVER")
    teams = teams.replace("data CLIENT", "legacy/data CLIENT").replace("mid ", "sales/mid ")

    assert label(teams, "sales/mid") == ("boundary", "it stands between the teams sales and legacy")


def test_a_declared_owner_is_a_team_too() -> None:
    owners = Declarations(service_owners={"shop": "sales", "data": "legacy"})

    assert label(HANDING_ON, declared=owners) == ("boundary", "it stands between the teams sales and legacy")


def test_a_worker_that_turns_messages_into_calls_is_not_accused() -> None:
    consumed = """
        shop SERVER GET /order 0..60ms
          shop PRODUCER orders 1..2ms mq=kafka object=orders
            mid CONSUMER orders 7..55ms mq=kafka object=orders
              mid CLIENT data 7.2..54.8ms
                data SERVER GET /d 8..54ms
    """

    assert label(consumed) == ("works", "")


def test_a_batch_job_that_makes_one_call_is_not_accused() -> None:
    job = """
        mid INTERNAL nightly 7..55ms
          mid CLIENT data 7.2..54.8ms
            data SERVER GET /d 8..54ms
    """

    assert label(job) == ("works", "")


def test_a_dispatcher_whose_calls_go_here_and_there_is_not_accused() -> None:
    scattered = "".join(HANDING_ON.replace("/d ", f"/d{number} ").replace("/d\n", f"/d{number}\n") for number in (1, 2))

    assert label(scattered) == ("works", "")


def test_cancelled_requests_do_not_make_a_service_that_works_hand_on() -> None:
    with_data = HANDING_ON.replace(
        "      mid CLIENT data 7.2",
        "      mid CLIENT get 7.05..7.15ms db=redis namespace=0\n      mid CLIENT data 7.2",
    )
    cancelled = """
        shop SERVER GET /order 0..60ms
          shop CLIENT mid 6..9ms cancelled
            mid SERVER GET /m 7..9ms method=GET route=/m cancelled
              mid CLIENT data 7.2..8.9ms cancelled
                data SERVER GET /d 8..8.8ms method=GET route=/d cancelled
    """

    assert label(with_data * 3 + cancelled, copies=20) == ("works", "")


def test_a_sidecar_is_no_service_that_hands_on() -> None:
    meshed = HANDING_ON.replace("mid ", "istio-proxy ")

    assert [row["service"] for row in concluded(meshed)["layers"]["services"]] == ["data", "shop"]


def test_few_requests_are_not_enough() -> None:
    document = concluded(HANDING_ON, copies=12)

    row = service(document, "mid")
    assert (row["label"], row["status"]) == ("unknown", "insufficient_data")
    assert row["reason"] == "30 requests in complete traces are needed, 12 came"
    assert accused(document) == []


def test_a_service_whose_other_half_works_is_not_accused() -> None:
    other = HANDING_ON.replace("/m", "/own").replace(
        "      mid CLIENT data 7.2", "      mid CLIENT get 7.05..7.15ms db=redis namespace=0\n      mid CLIENT data 7.2"
    )

    document = concluded(HANDING_ON + other)

    row = service(document, "mid")
    assert (row["label"], row["passing_share"]["value"]) == ("works", 0.5)
    assert {one["operation"]: one["passes_through"] for one in row["operations"]} == {"GET /m": True, "GET /own": False}


LAYERS = """
web SERVER GET /order 0..60ms method=GET route=/order
  web CLIENT mid 0.2..59.8ms
    mid SERVER GET /m 1..59ms method=GET route=/m
      mid CLIENT data 1.2..58.8ms
        data SERVER GET /d 2..58ms method=GET route=/d
          data CLIENT select 9..50ms db=postgresql namespace=data object=rows
"""


def test_two_in_a_row_that_hand_on_nearly_all_requests_are_a_split_by_layer() -> None:
    document = concluded(LAYERS, copies=250)

    assert accused(document) == [("web", "mid", "data"), ("mid",), ("web",)]
    split = document["layers"]["splits"][0]
    assert (split["services"], split["entry_share"], split["hops_saved"]) == (["web", "mid", "data"], 1, 2)
    assert split["trace_share"]["value"] == 1
    assert split["purity"] == 1
    assert len(split["trace_ids"]) == 3


def test_layers_that_half_of_the_requests_pass_are_no_split() -> None:
    elsewhere = """
        admin SERVER GET /admin 0..60ms
          admin CLIENT select 9..50ms db=postgresql namespace=admin object=rows
    """

    document = concluded(LAYERS + elsewhere, copies=250)

    assert document["layers"]["splits"] == []
    assert accused(document) == [("mid",)]
    assert service(document, "web")["label"] == "gateway"


def test_nothing_seen_is_nothing_known() -> None:
    layers = concluded("shop SERVER GET / 0..1ms", copies=1)["layers"]

    assert (layers["status"], layers["pass_through_share"]["value"]) == ("insufficient_data", None)
