"""Answers over queues: who waits for one, what that makes of chains and paths, and what is no proof of waiting."""

import numpy as np
import pytest

from forest.test_laws import renumbered, shuffled
from forest.told import chains, edges, hop_times, tell
from tracelith.forest import observe_view
from tracelith.forest.view import ForestView
from traces import view_of, window_of

ASKING = """
    gateway  SERVER login   0..1000ms
      gateway  CLIENT sessions   5..995ms
        auth  SERVER sessions      10..990ms
          auth  PRODUCER ask          20..22ms mq=kafka object=requests action=send
            billing  CONSUMER process    30..940ms mq=kafka object=requests action=process
              billing  CLIENT evaluate      40..900ms
                permissions  SERVER evaluate   45..895ms
              billing  PRODUCER answer      930..938ms mq=kafka object=replies action=send id=answer
          auth  CLIENT receive        22..960ms mq=kafka object=replies action=receive link=answer
"""


def waits(view: ForestView) -> list[tuple[str, str, float]]:
    """Caller, callee and wait in ms of every call that was answered over a queue."""
    calls = view.calls
    return [
        (
            view.forest.services[calls.caller[row]],
            calls.node_names[calls.callee[row]],
            calls.duration_ns[row] / 1e6,
        )
        for row in np.flatnonzero(calls.reply >= 0)
    ]


def test_10_1_a_receive_linked_to_the_answer_makes_the_message_an_awaited_call() -> None:
    view = view_of(ASKING)

    assert waits(view) == [("auth", "billing", 940)]
    assert ("auth", "billing", "sync") in edges(view)
    assert ("billing", "auth", "async") in edges(view)
    answer = int(np.flatnonzero(view.calls.answers >= 0)[0])
    assert view.calls.reply[view.calls.answers[answer]] == view.calls.server[answer]
    assert (view.calls.network_ns[view.calls.reply >= 0] == -1).all()


def test_10_1_the_chain_goes_on_behind_the_queue() -> None:
    view = view_of(ASKING)

    assert chains(view) == [("gateway login", 3, 3, 3, ("gateway", "auth", "billing", "permissions"))]


def test_10_1_the_wait_is_charged_to_who_answers_and_the_queues_keep_their_own_time() -> None:
    view = view_of(ASKING)

    assert hop_times(view) == {
        ("gateway", "service"): 10,
        ("gateway → auth", "network"): 10,
        ("auth", "service"): 40,
        ("auth → kafka requests", "peer"): 2 + 8,
        ("billing", "service"): 42,
        ("billing → permissions", "network"): 10,
        ("permissions", "service"): 850,
        ("billing → kafka replies", "peer"): 8,
        ("auth → kafka replies", "peer"): 20,
    }


def test_question_and_answer_may_both_be_joined_by_links() -> None:
    linked_question = """
        auth  SERVER sessions   0..100ms
          auth  PRODUCER ask      20..22ms mq=kafka object=requests id=ask
          auth  CONSUMER receive  22..60ms mq=kafka object=replies action=receive link=answer
        billing  CONSUMER process   30..50ms mq=kafka object=requests link=ask
          billing  PRODUCER answer    45..48ms mq=kafka object=replies id=answer
    """

    view = view_of(linked_question)

    assert waits(view) == [("auth", "billing", 40)]
    assert chains(view) == [("auth sessions", 1, 1, 1, ("auth", "billing"))]
    assert hop_times(view)["auth → kafka replies", "peer"] == 10


LISTENER = """
    auth  SERVER sessions   0..100ms instance=auth-1
      auth  CLIENT users      5..15ms db=postgresql namespace=users instance=auth-1
      auth  PRODUCER ask      20..22ms mq=kafka object=requests id=ask instance=auth-1
        billing  CONSUMER process   30..70ms mq=kafka object=requests
          billing  PRODUCER answer    60..62ms mq=kafka object=replies
            auth  CONSUMER process      75..76ms mq=kafka object=replies instance={instance}
      auth  CLIENT users      {next}ms db=postgresql namespace=users instance=auth-1
"""


def test_a_listener_that_wakes_the_request_is_proof() -> None:
    view = view_of(LISTENER.format(instance="auth-1", next="76..90"))

    assert waits(view) == [("auth", "billing", 56)]
    assert chains(view)[0] == ("auth sessions", 1, 1, 1, ("auth", "billing"))
    assert hop_times(view)["billing", "service"] == 38
    assert hop_times(view)["auth → kafka requests", "peer"] == 2 + 8 + 5


@pytest.mark.parametrize(
    ("instance", "going_on", "why"),
    [
        ("auth-2", "76..90", "another process took the answer"),
        ("auth-1", "90..95", "the request went on later, for a reason of its own"),
        ("auth-1", "40..50", "the request went on before the answer came"),
        ("auth-1", "18..40", "the request was doing something else"),
    ],
)
def test_a_listener_is_no_proof_where(instance: str, going_on: str, why: str) -> None:
    view = view_of(LISTENER.format(instance=instance, next=going_on))

    assert waits(view) == [], why
    assert chains(view)[0][1] == 0


def test_13_fast_consumers_contained_in_the_request_by_chance_are_not_waited_for() -> None:
    view = view_of("""
        shop  SERVER checkout   0..100ms
          shop  PRODUCER mail     10..11ms mq=kafka object=mail
            mailer  CONSUMER mail   13..20ms mq=kafka object=mail
              mailer  PRODUCER sent   18..19ms mq=kafka object=sent
          shop  CLIENT stock      30..90ms
            stock  SERVER stock     31..89ms
    """)

    assert waits(view) == []
    assert ("shop", "mailer", "async") in edges(view)


@pytest.mark.parametrize(
    "receipt",
    [
        "auth  CLIENT receive  22..160ms mq=kafka object=replies action=receive link=answer",  # outlives its request
        "auth  CLIENT receive  22..60ms mq=kafka object=replies action=receive",  # linked to nothing
        "auth  CLIENT receive  2..10ms mq=kafka object=replies action=receive link=answer",  # over before the question
    ],
)
def test_without_a_link_in_time_nothing_proves_a_wait(receipt: str) -> None:
    view = view_of(f"""
        auth  SERVER sessions   0..100ms
          auth  PRODUCER ask      20..22ms mq=kafka object=requests
            billing  CONSUMER process   30..50ms mq=kafka object=requests
              billing  PRODUCER answer    45..48ms mq=kafka object=replies id=answer
          {receipt}
    """)

    assert waits(view) == []
    assert [chain[1] for chain in chains(view)] == [0, 0]


def test_an_answer_to_an_earlier_request_proves_nothing_about_this_one() -> None:
    view = view_of("""
        front  SERVER page     0..300ms
          front  CLIENT one      5..100ms
            auth  SERVER one       10..95ms
              auth  PRODUCER ask      20..22ms mq=kafka object=requests
                billing  CONSUMER process   30..50ms mq=kafka object=requests
                  billing  PRODUCER answer    45..48ms mq=kafka object=replies id=answer
          front  CLIENT two      105..200ms
            auth  SERVER two       110..195ms
              auth  CLIENT receive    115..120ms mq=kafka object=replies action=receive link=answer
    """)

    assert waits(view) == []


def test_several_services_that_answer_are_all_waited_for() -> None:
    view = view_of("""
        shop  SERVER offers   0..100ms
          shop  PRODUCER ask    10..11ms mq=kafka object=requests
            fast  CONSUMER ask    12..22ms mq=kafka object=requests
              fast  PRODUCER reply  20..21ms mq=kafka object=replies id=fast
            slow  CONSUMER ask    12..72ms mq=kafka object=requests
              slow  PRODUCER reply  70..71ms mq=kafka object=replies id=slow
          shop  CLIENT receive  11..25ms mq=kafka object=replies action=receive link=fast
          shop  CLIENT receive  11..75ms mq=kafka object=replies action=receive link=slow
    """)

    assert waits(view) == [("shop", "fast", 15), ("shop", "slow", 65)]
    assert chains(view) == [("shop offers", 1, 1, 1, ("shop", "slow"))]


def test_an_answer_from_further_down_waits_for_everybody_on_the_way() -> None:
    view = view_of("""
        shop  SERVER order    0..100ms
          shop  PRODUCER ask    10..11ms mq=kafka object=orders
            stock  CONSUMER ask   15..30ms mq=kafka object=orders
              stock  PRODUCER next  28..29ms mq=kafka object=reserved
                pay  CONSUMER next    35..60ms mq=kafka object=reserved
                  pay  PRODUCER done    55..56ms mq=kafka object=done id=done
          shop  CLIENT receive  11..70ms mq=kafka object=done action=receive link=done
    """)

    assert waits(view) == [("shop", "stock", 60)]
    assert ("stock", "pay", "async") in edges(view)
    assert hop_times(view)["stock", "service"] == 14
    assert hop_times(view)["pay", "service"] == 24


def test_1_a_skewed_answerer_is_put_where_its_question_and_answer_allow() -> None:
    view = view_of(
        ASKING.replace("30..940", "3030..3940")
        .replace("40..900ms", "3040..3900ms")
        .replace("45..895", "3045..3895")
        .replace("930..938", "3930..3938")
    )

    assert hop_times(view)["permissions", "service"] == 850
    assert view.forest.counts["skewed_spans"] == 1


def test_an_answerer_that_goes_on_after_its_answer_is_waited_for_until_the_answer_only() -> None:
    view = view_of(ASKING.replace("30..940", "30..5000"))

    assert waits(view) == [("auth", "billing", 940)]
    assert view.forest.counts["skewed_spans"] == 0
    assert hop_times(view)["permissions", "service"] == 850


def test_an_incomplete_trace_has_the_wait_but_no_chain() -> None:
    view = view_of(ASKING + "      gateway  INTERNAL lost  10..20ms orphan\n")

    assert waits(view) == [("auth", "billing", 940)]
    assert chains(view) == []


def test_links_in_a_circle_end() -> None:
    view = view_of("""
        a  CONSUMER in       0..100ms mq=kafka object=one link=q
          a  PRODUCER ask      10..11ms mq=kafka object=two id=p
          a  CLIENT receive    11..90ms mq=kafka object=one action=receive link=q
        b  CONSUMER in       0..100ms mq=kafka object=two link=p
          b  PRODUCER answer   20..21ms mq=kafka object=one id=q
          b  CLIENT receive    21..90ms mq=kafka object=two action=receive link=p
    """)

    assert view.chains.root.size >= 1
    assert (view.path.end_ns > view.path.start_ns).all()


@pytest.mark.parametrize("seed", range(4))
def test_order_numbering_and_company_change_nothing(seed: int) -> None:
    texts = [ASKING, LISTENER.format(instance="auth-1", next="76..90")]
    alone = [tell(view_of(text)) for text in texts]
    window = window_of("\n---\n".join(texts))

    view = observe_view(renumbered(shuffled(window, seed), seed))

    assert sorted(waits(view)) == [("auth", "billing", 56), ("auth", "billing", 940)]
    assert tell(view).calls == tell(observe_view(window)).calls
    assert len(tell(view).segments) == sum(len(told.segments) for told in alone)
