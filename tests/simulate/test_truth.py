"""The truth of a run says what its description means, in plain JSON."""

import json
from datetime import datetime, timedelta

from small_systems import LEDGERS, ORDERS, QUICK, back, constant, front, operation, run_of, small_system
from tracelith.simulate.flow import Cached, Call, Consumer, Publish, Query, Repeat, Wait
from tracelith.simulate.incidents import Moments, Outage
from tracelith.simulate.latency import Queueing
from tracelith.simulate.topology import Database, Scaling, Service, Topic
from tracelith.simulate.traffic_shape import Cycle

ANSWERS = Topic("kafka", "broker.internal", 9092, "answers")
CACHE = Database("redis", "cache.internal", 6379, "0")


def test_calls_are_found_wherever_steps_nest() -> None:
    hidden = Repeat(1, 2, (Cached(CACHE, 0.5, QUICK, (Call(operation(back)),)),))
    instead = Call(operation(Service("spare", "go", 1, "1.0")))
    asked = Call(operation(Service("main", "go", 1, "1.0")), tolerated=0.25, timeout_ms=80, fallback=(hidden, instead))

    truth = run_of(small_system(asked), traces=1).truth

    assert [(call["callee"], call["mode"]) for call in truth["calls"]] == [
        ("back", "sync"),
        ("main", "sync"),
        ("spare", "sync"),
    ]
    dependency = next(row for row in truth["dependencies"] if row["callee"] == "main")
    assert dependency == {
        "caller": "front",
        "caller_operation": "GET /pages",
        "callee": "main",
        "callee_operation": "GET /things",
        "propagation": 0.75,
        "timeout_ms": 80,
        "attempts": 1,
    }


def test_a_chain_counts_services_and_goes_on_over_queues_where_answers_are_awaited() -> None:
    deep = Service("deep", "go", 1, "1.0")
    handler = Consumer(back, ORDERS, "packing", QUICK, (Call(operation(deep)),))
    asks = Publish(ORDERS, QUICK, reply=ANSWERS, awaits_reply=True, timeout_ms=500)
    itself = Call(operation(front, Call(operation(back))))

    truth = run_of(small_system(asks, itself, consumers=(handler,)), traces=1).truth

    (entry,) = truth["entry_operations"]
    assert entry["chain"] == ["front", "back"]
    assert entry["chain_over_queues"] == ["front", "back", "deep"]
    assert (entry["awaited_hops"], entry["awaited_hops_over_queues"]) == (1, 2)
    assert truth["awaited_replies"] == [
        {
            "service": "front",
            "operation": "GET /pages",
            "topic": "orders",
            "reply": "answers",
            "answered_by": ["back"],
            "timeout_ms": 500,
        }
    ]
    assert {"caller": "back", "callee": "front", "mode": "reply"} in truth["calls"]


def test_tables_have_owners_readers_and_writers() -> None:
    change = Query(LEDGERS, "UPDATE", "prices", QUICK, joins=("users",))
    look = Call(operation(back, Query(LEDGERS, "SELECT", "prices", QUICK)))

    truth = run_of(small_system(change, look, table_owners={"prices": "back"}), traces=1).truth

    prices, users = truth["tables"]
    assert (prices["owner"], prices["readers"], prices["writers"]) == ("back", ["back"], ["front"])
    assert (users["owner"], users["readers"], users["writers"]) == (None, ["front"], [])
    (join,) = truth["joins"]
    assert (join["service"], join["tables"]) == ("front", ["prices", "users"])
    (datastore,) = truth["datastores"]
    assert (datastore["system"], datastore["services"]) == ("postgresql", ["back", "front"])


def test_incidents_queues_and_scaling_are_told_with_their_numbers() -> None:
    outage = Outage(("back",), Moments(at=(0.5,)), minutes=10)
    worker = Service("worker", "go", 6, "1.0", scaling=Scaling(Cycle(peak_hour=9), least=2))
    asked = Call(operation(worker, Wait(Queueing("pool", 0.8, 30)), constant(1)))

    simulation = run_of(small_system(asked, incidents=(outage,), services=(front, back, worker)), traces=1)

    truth = json.loads(json.dumps(simulation.truth))
    (incident,), (queue,), (scaling,) = truth["incidents"], truth["queues"], truth["scaling"]
    begun = simulation.start + (simulation.end - simulation.start) / 2
    assert (incident["kind"], incident["services"]) == ("Outage", ["back"])
    assert [datetime.fromisoformat(incident["times"][0][side]) for side in ("start", "end")] == [
        begun,
        begun + timedelta(minutes=10),
    ]
    assert (queue["name"], queue["utilisation"], queue["services"]) == ("pool", 0.8, ["worker"])
    assert (scaling["service"], scaling["least"], scaling["most"], scaling["axis"]["peak_hour"]) == ("worker", 2, 6, 9)
