"""Consumer groups that stand still while messages wait, and everything else that makes a group silent."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.queue_worlds import (
    Taken,
    findings,
    listening,
    queues_of,
    stalls_after_compaction,
    steady,
    taken_text,
)
from tracelith.analysis.queues.gaps import chance_of_silence, needed_messages

HOUR = 3_600.0


def test_10_3_rebalance_oracle() -> None:
    assert chance_of_silence(1, 5 * 4) == pytest.approx(2.06e-9, rel=0.01)
    assert chance_of_silence(10_000, 5 * 4) == pytest.approx(2.1e-5, rel=0.03)
    assert needed_messages(10_000, 1e-3, np.exp(-1), 1) == 17


def test_a_group_that_takes_nothing_while_messages_wait_stands_still() -> None:
    document = queues_of(taken_text(listening(steady(0, 2_400, 10), 1_000, 1_400)))

    (stall,) = document["queues"]["stalls"]
    (group,) = document["queues"]["groups"]
    assert findings(document) == [("consumer-group-stall", ["kafka events views", "profile"])]
    assert (stall["start"], stall["end"]) == ("2026-01-05T09:16:40Z", "2026-01-05T09:23:20Z")
    assert stall["waiting"] == pytest.approx(40, abs=2)
    assert (stall["instances"], stall["interruptions"], stall["cause"]) == (3, 1, "unknown")
    assert stall["probability"] < 1e-3
    assert group["stalls"] == 1
    assert group["stall_share"]["ci"][0] <= 400 / 86_700 <= group["stall_share"]["ci"][1]
    assert len(document["findings"][0]["evidence"]["trace_ids"]) == 3


def test_gaps_close_together_are_one_stall_with_interruptions() -> None:
    once = listening(steady(0, 2_400, 5), 1_000, 1_200)
    again = listening(once, 1_215, 1_500)

    (stall,) = queues_of(taken_text(again))["queues"]["stalls"]

    assert stall["seconds"] == pytest.approx(500, abs=15)
    assert stall["interruptions"] == 2


def test_a_message_that_took_too_long_is_named_as_cause() -> None:
    slow = Taken(998, 999, "profile-1", handled=70)

    (stall,) = queues_of(taken_text([*listening(steady(0, 2_400, 10), 1_000, 1_400), slow]))["queues"]["stalls"]

    assert stall["cause"] == "slow_handler"
    assert "70 s" in stall["cause_detail"]


def test_a_deployment_of_the_group_is_named_as_cause_and_one_of_others_is_not() -> None:
    text = taken_text(listening(steady(0, 2_400, 10), 1_000, 1_400))

    (own,) = queues_of(text, deployed=[("profile", 960)])["queues"]["stalls"]
    (other,) = queues_of(text, deployed=[("shop", 960)])["queues"]["stalls"]

    assert own["cause"] == "deployment"
    assert "profile 2.0 was deployed" in own["cause_detail"]
    assert other["cause"] == "unknown"


def test_instances_that_come_and_go_are_named_as_cause() -> None:
    before = [Taken(at, at + 0.1, f"profile-{int(at / 10) % 3}") for at in np.arange(0, 1_200, 10.0)]
    after = [Taken(at, at + 0.1, f"profile-{int(at / 10) % 2 + 1}") for at in np.arange(1_200, 2_400, 10.0)]

    (stall,) = queues_of(taken_text(listening([*before, *after], 1_000, 1_200)))["queues"]["stalls"]

    assert stall["cause"] == "instances"


def test_a_group_of_one_instance_can_stand_still() -> None:
    alone = [Taken(one.sent, one.taken, "only") for one in steady(0, 2_400, 10)]

    document = queues_of(taken_text(listening(alone, 1_000, 1_400)))

    assert [stall["instances"] for stall in document["queues"]["stalls"]] == [1]


MINUTES = tuple(range(80, 112, 4))


def test_a_stall_is_told_whatever_its_minute_is_after_facts_became_hourly() -> None:
    # In each group another instance took over ten minutes after the hour, and stands still alone later.
    taken = [
        replace(one, instance="old" if one.taken < 70 * 60 else "new", group=f"g{minute}")
        for minute in MINUTES
        for one in listening(steady(0, 2 * HOUR, 20), minute * 60 + 10, minute * 60 + 410)
    ]

    fine, hourly = stalls_after_compaction(taken_text(taken))

    assert sorted(stall["group"] for stall in fine) == sorted(f"g{minute}" for minute in MINUTES)
    assert hourly == fine


def test_a_producer_that_pauses_is_not_accused() -> None:
    assert findings(queues_of(taken_text([*steady(0, 1_000, 5), *steady(2_000, 3_000, 5)]))) == []


def test_a_producer_that_sends_once_a_night_is_not_accused() -> None:
    nights = [one for night in (0, 10, 20) for one in steady(night * HOUR, night * HOUR + 60, 1)]

    assert findings(queues_of(taken_text(nights))) == []


def test_low_traffic_is_not_accused() -> None:
    random = np.random.default_rng(2)
    sent, lags = np.cumsum(random.exponential(300, 200)), random.exponential(2, 200)
    messages = [Taken(at, at + lag) for at, lag in zip(sent, lags, strict=True)]

    assert findings(queues_of(taken_text(messages))) == []


def test_a_daily_cycle_is_not_accused() -> None:
    random = np.random.default_rng(3)
    at = np.arange(0, 20 * HOUR, 30)
    sent = at[random.random(at.size) < 0.02 + 0.3 * np.maximum(np.sin(at / (20 * HOUR) * 2 * np.pi), 0)]

    assert findings(queues_of(taken_text(Taken(one, one + 0.2) for one in sent))) == []


def test_consumers_that_take_messages_in_batches_are_not_accused() -> None:
    hourly = [Taken(at, (at // HOUR + 1) * HOUR + at % HOUR / 1_000) for at in np.arange(0, 8 * HOUR, 120)]
    often = [Taken(at, (at // 300 + 1) * 300 + at % 300 / 1_000) for at in np.arange(0, 2 * HOUR, 20)]

    assert findings(queues_of(taken_text(hourly))) == []
    assert findings(queues_of(taken_text(often))) == []


def test_consumers_that_leave_out_a_round_are_not_accused() -> None:
    rounds = [Taken(at, (at // 300 + 1) * 300 + at % 300 / 1_000) for at in np.arange(0, 2 * HOUR, 20)]

    assert findings(queues_of(taken_text(listening(rounds, 3_600, 3_899)))) == []


def test_one_stuck_partition_is_not_accused_of_stopping_the_group() -> None:
    parted = [Taken(one.sent, one.taken, f"profile-{n % 3}") for n, one in enumerate(steady(0, 2_400, 5))]
    stuck = [listening([one], 1_000, 1_400)[0] if one.instance == "profile-1" else one for one in parted]

    document = queues_of(taken_text(stuck))

    assert findings(document) == []


def test_a_stuck_partition_is_not_accused_where_the_others_happen_to_get_nothing() -> None:
    others = [Taken(at, at + 0.1, f"profile-{at // 60 % 2}") for at in (*range(0, 900, 60), *range(1_500, 2_400, 60))]
    hot = [Taken(one.sent, one.taken, "profile-2") for one in steady(0, 2_400, 10)]
    # While the hot one is stuck, another takes its last message before and its first one after.
    near = [Taken(985, 990, "profile-0"), Taken(1_405, 1_410, "profile-1")]

    document = queues_of(taken_text([*others, *near, *listening(hot, 1_000, 1_400)]))

    assert findings(document) == []


def test_messages_meant_to_wait_are_not_accused() -> None:
    prompt = steady(0, 6 * HOUR, 60)
    delayed = [Taken(at, at + HOUR) for at in np.arange(30, 5 * HOUR, 300)]

    assert findings(queues_of(taken_text([*prompt, *delayed]))) == []


def test_a_stall_of_which_too_little_was_sampled_is_not_told() -> None:
    full = listening(steady(0, 2_400, 10), 1_000, 1_400)

    document = queues_of(taken_text(full[::8]))

    (group,) = document["queues"]["groups"]
    assert findings(document) == []
    assert group["status"] == "insufficient_data"
    assert group["noticeable_s"] > 400


def test_services_that_share_a_group_are_told() -> None:
    both = [Taken(at, at + 0.1, service=("profile", "search")[int(at) % 2]) for at in np.arange(0.0, 60, 1)]

    document = queues_of(taken_text(both))

    assert findings(document) == [("shared-consumer-group", ["kafka events views", "profile", "search"])]


def test_a_service_that_took_another_name_is_not_accused_of_sharing_its_group() -> None:
    renamed = [Taken(at, at + 0.1, service="old" if at < 30 else "new") for at in np.arange(0.0, 60, 1)]

    assert findings(queues_of(taken_text(renamed))) == []


def test_services_with_groups_of_their_own_are_not_accused() -> None:
    own = [Taken(at, at + 0.1, service=f"s{int(at) % 2}", group=f"g{int(at) % 2}") for at in np.arange(0.0, 60, 1)]

    assert findings(queues_of(taken_text(own))) == []


def test_lags_are_told_with_their_interval() -> None:
    lags = np.random.default_rng(5).lognormal(np.log(0.2), 0.5, 400)
    messages = [Taken(10.0 * number, 10.0 * number + lag) for number, lag in enumerate(lags)]

    (place,) = queues_of(taken_text(messages))["queues"]["destinations"]

    (consumer,) = place["consumers"]
    assert (place["producers"], place["sent"], consumer["messages"]) == (["shop"], 400, 400)
    low, high = consumer["lag_ms"]["p50"]["ci"]
    assert low < 200 < high
    assert consumer["lag_ms"]["p95"]["value"] == pytest.approx(np.quantile(lags, 0.95) * 1_000, rel=0.1)
    assert consumer["lag_ms"]["p99"]["status"] == "insufficient_data"


def test_clocks_that_disagree_tell_no_lag() -> None:
    (place,) = queues_of(taken_text(Taken(10.0 * n, 10.0 * n + (0.1, -0.4)[n % 2]) for n in range(60)))["queues"][
        "destinations"
    ]

    assert place["consumers"][0]["lag_ms"]["p50"]["status"] == "not_identifiable"
    assert "clocks" in place["consumers"][0]["lag_ms"]["p50"]["reason"]
