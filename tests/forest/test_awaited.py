"""Whether a call was waited for, decided on raw clocks."""

import pytest

from forest.told import chains, edges, segments
from traces import view_of


def mode(client: str, server: str, *, request: str = "0..1000ms") -> str:
    view = view_of(f"""
        shop   SERVER checkout  {request}
          shop   CLIENT price     {client}
            price  SERVER answer    {server}
    """)
    return edges(view)[0][2]


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [
        ("10..40ms", "12..38ms", "sync"),
        ("10..40ms", "412..438ms", "sync"),  # the other host's clock is off; the answer is shorter than the wait
        ("10..40ms", "5..36ms", "sync"),  # 31 ms in a wait of 30 ms: within 1 ms
        ("10..40ms", "12..52ms", "async"),  # the server works 10 ms longer than anybody waited
        ("990..1009ms", "991..1008ms", "sync"),  # 9 ms after the request, within 1 % of it
        ("990..1012ms", "991..1010ms", "async"),  # the request did not wait for its client
        ("10..40ms !", "12..900ms", "sync"),  # the client waited until it gave up
        ("10..40ms cancelled", "12..900ms", "sync"),
    ],
)
def test_1_3_durations_decide_between_hosts(client: str, server: str, expected: str) -> None:
    assert mode(client, server) == expected


def test_a_request_that_ends_with_the_clock_waited_for_its_calls_too() -> None:
    assert mode("10..20s", "11..19s", request="0..7420000000s") == "sync"


@pytest.mark.parametrize(
    ("server", "expected"),
    [("12..38ms", "sync"), ("12..41ms", "sync"), ("12..42ms", "async"), ("52..60ms", "async")],
)
def test_1_3_the_clock_decides_on_one_host(server: str, expected: str) -> None:
    view = view_of(f"""
        shop   SERVER checkout  0..1000ms host=node
          shop   CLIENT price     10..40ms host=node
            price  SERVER answer    {server} host=node
    """)

    assert edges(view) == [("shop", "price", expected)]


@pytest.mark.parametrize(
    ("server", "host", "expected"),
    [
        ("12..38ms", "other", "sync"),
        ("12..160ms", "other", "async"),  # longer than the whole request
        ("80..130ms", "other", "unknown"),  # a late task, or a clock ahead by 30 ms
        ("200..230ms", "other", "unknown"),
        ("-40..20ms", "other", "unknown"),
        ("80..130ms", "node", "async"),
    ],
)
def test_1_3_without_client_side_what_cannot_be_decided_stays_undecided(server: str, host: str, expected: str) -> None:
    view = view_of(f"""
        shop   SERVER checkout  0..100ms host=node
          price  SERVER answer    {server} host={host}
    """)

    assert edges(view) == [("shop", "price", expected)]


def test_20_1_a_late_deferred_call_is_not_moved_into_its_caller() -> None:
    view = view_of("""
        shop   SERVER checkout  0..100ms
          shop   PRODUCER send    10..11ms mq=kafka object=mail
            mail   CONSUMER process   300..330ms mq=kafka object=mail
    """)

    assert edges(view) == [("shop", "mail", "async")]
    assert [name for name, *_ in segments(view)] == ["checkout", "send", "checkout", "process"]
    assert view.forest.counts["skewed_spans"] == 0


def test_fire_and_forget_http_starts_a_chain_of_its_own() -> None:
    view = view_of("""
        shop   SERVER checkout  0..100ms
          shop   CLIENT notify    10..12ms
            mail   SERVER accept    11..500ms
              mail   CLIENT smtp      20..400ms
                relay  SERVER smtp      21..399ms
    """)

    assert edges(view) == [("mail", "relay", "sync"), ("shop", "mail", "async")]
    assert chains(view) == [
        ("shop checkout", 0, 0, 0, ("shop",)),
        ("mail accept", 1, 1, 1, ("mail", "relay")),
    ]
    assert view.chains.restarted.tolist() == [False, True]


def test_skewed_spans_are_awaited_calls_that_two_clocks_put_apart() -> None:
    view = view_of("""
        shop   SERVER checkout  0..100ms
          shop   CLIENT price     10..40ms
            price  SERVER answer    5..20ms
          shop   CLIENT stock     50..80ms
            stock  SERVER answer    55..70ms
    """)

    assert view.forest.counts["skewed_spans"] == 1


def test_a_service_that_consumes_its_own_message_does_not_wait_for_itself() -> None:
    view = view_of("""
        shop   SERVER checkout  0..100ms
          shop   PRODUCER send    10..11ms mq=kafka object=later
            shop   CONSUMER process   20..90ms mq=kafka object=later
    """)

    assert edges(view) == []
    assert len(chains(view)) == 2
    assert sum(high - low for name, low, high in segments(view) if name == "checkout") == 99


def test_what_clocks_round_off_is_no_skew() -> None:
    view = view_of("""
        shop   SERVER checkout  0..100ms host=a
          shop   CLIENT price     10.000..40.000ms host=a
            price  SERVER answer    9.999..39.999ms host=b
          shop   CLIENT price     50.000..80.000ms host=a
            price  SERVER answer    49.998..79.998ms host=b
    """)

    assert view.forest.counts["skewed_spans"] == 1


def test_a_server_whose_clock_is_so_far_behind_that_it_is_the_first_of_all_spans_is_still_called() -> None:
    view = view_of("""
        shop   SERVER checkout  100..200ms host=a
          shop   CLIENT price     110..140ms host=a
            price  SERVER answer    0..25ms host=b
    """)

    assert chains(view) == [("shop checkout", 1, 1, 1, ("shop", "price"))]
    assert not view.chains.restarted.any()
