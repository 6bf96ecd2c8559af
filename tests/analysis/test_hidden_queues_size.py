"""Facts about late messages stay small where all messages are late, and still tell when a group stood still."""

import numpy as np

from analysis.queue_worlds import Taken, findings, listening, queues_of, steady, taken_text
from tracelith.analysis.hidden_queues import ANALYSIS
from tracelith.forest import observe_view
from traces import window_of

HOUR = 3_600.0


def late_rows(messages: list[Taken]) -> int:
    """Rows about late messages."""
    assert ANALYSIS.observe is not None
    return len(ANALYSIS.observe(observe_view(window_of(taken_text(messages))))["queue_late"])


def podded(messages: list[Taken], pods: int) -> list[Taken]:
    """The messages, each taken by the next of so many instances."""
    return [Taken(one.sent, one.taken, f"profile-{n % pods}") for n, one in enumerate(messages)]


def delayed(every: float, pods: int) -> list[Taken]:
    """An hour of messages that are all meant to wait for an hour."""
    return podded([Taken(at, at + HOUR) for at in np.arange(0, HOUR, every)], pods)


def test_a_delayed_queue_needs_a_few_rows_per_window_whatever_it_carries_and_whoever_takes_it() -> None:
    windows = 13

    few, many = late_rows(delayed(10, 3)), late_rows(delayed(1, 200))

    assert few == many <= 2 * windows


def test_retries_that_wait_longer_and_longer_need_rows_by_the_size_of_their_wait_only() -> None:
    random = np.random.default_rng(1)
    waits = 10 * 2 ** random.uniform(0, 8, 3_000)
    taken = random.uniform(0, 300, 3_000)
    retried = podded([Taken(at - wait + 3_000, at + 3_000) for at, wait in zip(taken, waits, strict=True)], 50)

    assert late_rows(retried) <= 8 * 5


def test_a_stall_is_found_beside_messages_meant_to_wait() -> None:
    prompt = listening(steady(0, 2 * HOUR, 10), 4_000, 4_400)
    waiting = [Taken(at, at + 1_800) for at in np.arange(3, 1.5 * HOUR, 60) if not 4_000 <= at + 1_800 < 4_400]

    document = queues_of(taken_text([*prompt, *waiting]))

    (stall,) = document["queues"]["stalls"]
    assert findings(document) == [("consumer-group-stall", ["kafka events views", "profile"])]
    assert 36 <= stall["waiting"] <= 41


def test_every_instance_that_took_late_messages_is_counted() -> None:
    document = queues_of(taken_text(listening(podded(steady(0, 2_400, 5), 12), 1_000, 1_400)))

    (stall,) = document["queues"]["stalls"]
    assert stall["instances"] == 12
