"""Who waits for an answer over a queue, and who only seems to."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.queue_worlds import asking, findings, queues_of
from tracelith.analysis.queues.slopes import chance_of_containment, fit, sums_of, theil_sen

SPREAD = np.random.default_rng(3).lognormal(3.5, 0.8, 120)
UNRELATED = np.random.default_rng(4).lognormal(3.5, 0.8, 120)


def between(low: float, high: float, count: int = 120) -> NDArray[np.float64]:
    return np.random.default_rng(5).uniform(low, high, count)


def test_10_1_slope_oracle_of_a_request_that_waits() -> None:
    answer, rest = (50, 80, 120, 60, 200), (52, 83, 121, 63, 203)

    slope = fit(sums_of(answer, rest), np.random.default_rng(0), minimum=5)

    assert slope.estimate.value == pytest.approx(1.001, abs=5e-4)
    assert slope.r_squared == pytest.approx(0.9998, abs=5e-5)
    assert theil_sen(answer, rest) == pytest.approx((1.0, 0.95, 1.10), abs=5e-3)


def test_10_1_slope_oracle_of_a_request_that_hands_over() -> None:
    answer, rest = (50, 80, 120, 60, 200), (12, 11, 13, 12, 10)

    slope = fit(sums_of(answer, rest), np.random.default_rng(0), minimum=5)

    assert slope.estimate.value == pytest.approx(-0.010, abs=5e-4)
    assert theil_sen(answer, rest) == pytest.approx((-0.011, -0.05, 0.05), abs=5e-4)


def test_10_1_containment_oracle() -> None:
    once = np.ones(5)

    assert chance_of_containment((25, 30, 60, 200, 15), once, (30, 40, 500, 35, 20), once) == pytest.approx(0.60)


def test_blocks_of_time_that_disagree_widen_the_slope() -> None:
    random = np.random.default_rng(1)
    waits = random.lognormal(3, 1, (20, 50))
    together = np.concatenate([sums_of(w, w * factor) for w, factor in zip(waits, [0.2, 1.8] * 10, strict=True)])
    alone = together.sum(axis=0, keepdims=True)

    pooled, in_time = fit(alone, random).estimate, fit(together, random).estimate

    assert in_time.value == pytest.approx(pooled.value)
    assert (in_time.low or 0) < (pooled.low or 0)


def test_requests_are_counted_however_many_messages_each_sends() -> None:
    asked = "\n---\n".join(
        "\n".join(
            [
                f"auth  SERVER login  {1_000 * number}..{1_000 * number + 900}ms",
                *(_asked_again(1_000 * number + 10 + 200 * turn, wait, f"a{number}-{turn}") for turn in range(4)),
            ]
        )
        for number, wait in enumerate(SPREAD[:60].clip(10, 150))
    )

    document = queues_of(asked)

    (row,) = [row for row in document["queues"]["waits"] if row["service"] == "auth"]
    assert (row["label"], row["requests"]) == ("waits", 60)
    assert row["contained"]["n"] == 240


def _asked_again(at: float, wait: float, label: str) -> str:
    done = at + wait
    return (
        f"  auth  PRODUCER ask  {at - 1}..{at}ms mq=kafka object=requests action=send\n"
        f"    billing  CONSUMER handle  {at + 1}..{done}ms mq=kafka object=requests action=process group=b\n"
        f"      billing  PRODUCER answer  {done - 0.2}..{done - 0.1}ms mq=kafka object=replies id={label}\n"
        f"  auth  CLIENT receive  {at}..{done + 0.5}ms mq=kafka object=replies action=receive link={label}"
    )


def test_a_request_that_receives_the_answer_waits() -> None:
    document = queues_of(asking(SPREAD, SPREAD + 5, answers=True))

    (wait,) = [row for row in document["queues"]["waits"] if row["service"] == "auth"]
    assert findings(document) == [("sync-over-async", ["auth login", "kafka requests", "billing"])]
    assert (wait["label"], wait["reply"], wait["answered_by"]) == ("waits", "replies", ["billing"])
    assert wait["slope"]["value"] == pytest.approx(1, abs=0.01)
    assert wait["wait_ms"]["p50"] == pytest.approx(np.median(SPREAD), rel=0.15)
    assert 0.5 < wait["idle_share"] <= 1
    assert len(wait["trace_ids"]) == 3


def test_a_proven_wait_needs_no_slope_where_all_answers_take_equally_long() -> None:
    same = np.full(40, 50.0)

    document = queues_of(asking(same, same + 5, answers=True))

    (wait,) = [row for row in document["queues"]["waits"] if row["service"] == "auth"]
    assert wait["slope"]["status"] == "not_identifiable"
    assert wait["label"] == "waits"


def test_a_request_without_a_span_for_the_answer_waits_if_it_always_ends_just_after_it() -> None:
    document = queues_of(asking(SPREAD, SPREAD + between(0.2, 4), answers=False))

    (wait,) = document["queues"]["waits"]
    assert findings(document) == [("sync-over-async", ["auth login", "kafka requests", "billing"])]
    assert wait["reply"] is None
    assert document["findings"][0]["metric"]["name"] == "extra time per time until the answer"


def test_13_a_fast_consumer_contained_by_chance_is_not_accused() -> None:
    document = queues_of(asking(between(2, 9), UNRELATED + 10, answers=False))

    (wait,) = document["queues"]["waits"]
    assert findings(document) == []
    assert wait["contained"]["value"] == 1
    assert wait["contained_by_chance"] == pytest.approx(1, abs=0.02)
    assert wait["label"] != "waits"


def test_a_request_that_is_over_long_before_is_not_accused() -> None:
    document = queues_of(asking(SPREAD, between(1, 3), answers=False))

    (wait,) = document["queues"]["waits"]
    assert (findings(document), wait["label"]) == ([], "hands_over")


def test_one_moment_in_which_everything_stood_still_is_not_accused_of_waiting() -> None:
    handled, rest = between(5, 40, 119), between(45, 60, 119)[::-1]

    document = queues_of(asking([*handled, 900.0], [*rest, 905.0], answers=False))

    (wait,) = document["queues"]["waits"]
    assert wait["r_squared"] > 0.8
    assert findings(document) == []


def test_requests_and_messages_that_are_slow_together_are_not_accused_of_waiting() -> None:
    database = np.random.default_rng(6).lognormal(4, 0.7, 120)

    document = queues_of(asking(database + SPREAD, database + UNRELATED, answers=False))

    assert findings(document) == []


def test_29_messages_decide_nothing() -> None:
    document = queues_of(asking(SPREAD[:29], SPREAD[:29] + 5, answers=True))

    (wait,) = [row for row in document["queues"]["waits"] if row["service"] == "auth"]
    assert findings(document) == []
    assert (wait["label"], wait["status"]) == ("undecided", "insufficient_data")
    assert "30" in wait["reason"]


def test_sometimes_waiting_for_an_answer_is_not_accused() -> None:
    seldom = asking(SPREAD[:40], SPREAD[:40] + 5, answers=True)
    mostly = asking(SPREAD, UNRELATED, answers=False)

    document = queues_of(f"{seldom}\n---\n{mostly}")

    assert findings(document) == []


def _far(number: int, *, takes: bool) -> str:
    """A request whose message is handled, and answered, in a trace of its own."""
    sent, wait = 1_000 * number, 20 + number % 7
    handled, place = f"{sent + 8}..{sent + wait}ms", "requests" if takes else "others"
    return f"""
        auth  SERVER login  {sent}..{sent + wait + 10}ms
          auth  PRODUCER ask  {sent + 4}..{sent + 5}ms mq=kafka object=requests action=send id=p{number}
          auth  CLIENT receive  {sent + 5}..{sent + 5 + wait}ms mq=kafka object=replies action=receive link=q{number}

        billing  CONSUMER handle  {handled} mq=kafka object={place} action=process group=b link=p{number}
          billing  PRODUCER answer  {sent + wait - 1}..{sent + wait}ms mq=kafka object=replies action=send id=q{number}
    """


@pytest.mark.parametrize(("takes", "label"), [(True, "waits"), (False, "undecided")])
def test_an_answer_from_another_trace_counts_if_its_sender_takes_these_messages(takes: bool, label: str) -> None:
    document = queues_of("\n".join(_far(number, takes=takes) for number in range(60)))

    (wait,) = [row for row in document["queues"]["waits"] if row["service"] == "auth"]
    assert (wait["label"], findings(document) != []) == (label, takes)
    assert wait["requests"] == 60


def test_messages_handled_in_another_trace_are_handed_over_if_the_request_is_over_before_they_are_taken() -> None:
    blocks = [
        f"""
        shop  SERVER order  {sent}..{sent + 20}ms
          shop  PRODUCER send  {sent + 15}..{sent + 16}ms mq=kafka object=events action=send id=e{sent}

        mail  CONSUMER handle  {sent + 300}..{sent + 310}ms mq=kafka object=events group=m link=e{sent}
        """
        for sent in range(0, 40_000, 1_000)
    ]

    document = queues_of("\n".join(blocks))

    (wait,) = document["queues"]["waits"]
    assert (wait["label"], wait["status"]) == ("hands_over", "ok")
    assert wait["contained_by_chance"] == 0


def test_without_messages_nothing_is_known() -> None:
    part = queues_of("shop  SERVER order  0..10ms")["queues"]

    assert part["status"] == "insufficient_data"
    assert part["reason"] == "no messages were seen in this period"
    assert part["waits"] == part["groups"] == part["stalls"] == part["destinations"] == []
