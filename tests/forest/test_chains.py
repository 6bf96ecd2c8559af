"""Chains: depth, paths and entry operations."""

import numpy as np

from forest.told import chains
from traces import view_of


def test_4_depth_oracle() -> None:
    view = view_of("""
        gateway  SERVER order       0..100ms
          gateway  CLIENT order       5..95ms
            order  SERVER order         10..90ms
              order  CLIENT reserve       15..60ms
                inventory  SERVER reserve      20..55ms
                  inventory  CLIENT update       25..50ms db=postgresql namespace=stock
              order  PRODUCER mail        65..66ms mq=kafka object=mail
                mailer  CONSUMER mail        200..300ms mq=kafka object=mail
                  mailer  CLIENT smtp          210..290ms
                    smtp  SERVER send          215..285ms
    """)

    assert chains(view) == [
        ("gateway order", 2, 2, 3, ("gateway", "order", "inventory")),
        ("mailer mail", 1, 1, 1, ("mailer", "smtp")),
    ]
    assert view.chains.restarted.tolist() == [False, True]


def test_depth_on_the_critical_path_ignores_branches_that_did_not_limit() -> None:
    view = view_of("""
        shop   SERVER checkout   0..90ms
          shop   CLIENT fast       10..20ms
            a  SERVER a              11..19ms
              a  CLIENT b              12..18ms
                b  SERVER b              13..17ms
          shop   CLIENT slow       10..80ms
            c  SERVER c              11..79ms
    """)

    assert chains(view) == [("shop checkout", 1, 2, 2, ("shop", "c"))]


def test_of_equally_deep_services_the_one_that_took_most_time_ends_the_path() -> None:
    view = view_of("""
        shop   SERVER checkout   0..90ms
          shop   CLIENT a          10..20ms
            a  SERVER a              11..19ms
          shop   CLIENT b          20..80ms
            b  SERVER b              21..79ms
    """)

    assert chains(view) == [("shop checkout", 1, 1, 1, ("shop", "b"))]


def test_a_service_visited_twice_is_two_hops_and_one_service() -> None:
    view = view_of("""
        a  SERVER in   0..90ms
          a  CLIENT b    10..80ms
            b  SERVER b    11..79ms
              b  CLIENT a    12..78ms
                a  SERVER a    13..77ms
    """)

    assert chains(view) == [("a in", 2, 2, 2, ("a", "b", "a"))]
    assert view.chains.span_hops.tolist() == [0, 0, 1, 1, 2]


def test_an_entry_operation_is_named_by_method_and_route_where_known() -> None:
    view = view_of("""
        shop  SERVER GET  0..90ms route=/cart/{id}

        shop  SERVER Checkout/Pay  0..90ms
    """)

    assert [chain[0] for chain in chains(view)] == ["shop GET /cart/{id}", "shop Checkout/Pay"]


def test_incomplete_traces_have_no_chains() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          cart  SERVER lost      1..2ms orphan

        shop  SERVER fine  0..90ms
    """)

    assert [chain[0] for chain in chains(view)] == ["shop fine"]
    assert view.chains.span_chain.tolist() == [-1, -1, 0]


def test_external_calls_and_datastores_count_with_peers_only() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT pay      10..80ms peer=bank.example:443
          shop  CLIENT publish  80..81ms mq=kafka object=orders
    """)

    assert chains(view)[0][1:4] == (0, 0, 1)


def test_a_path_longer_than_any_known_is_cut_at_its_start_and_keeps_its_depth() -> None:
    lines = ["s0 SERVER in 0..1000ms"]
    for i in range(1, 100):
        lines.append("  " * i + f"s{i} SERVER in {i}..{1000 - i}ms")

    view = view_of("\n".join(lines))

    assert view.chains.hops_critical.tolist() == [99]
    assert view.chains.paths[0][-1] == "s99"
    assert len(view.chains.paths[0]) == 64


def test_zero_durations_have_depth_but_no_critical_path() -> None:
    view = view_of("""
        shop  SERVER checkout  0..0ms
          shop  CLIENT price     0..0ms
            price  SERVER answer   0..0ms
    """)

    assert chains(view) == [("shop checkout", 0, 1, 1, ("shop",))]
    assert view.path.chain.size == 0


def test_chains_are_listed_in_the_order_of_their_heads() -> None:
    view = view_of("shop SERVER a 0..9ms\n\nshop SERVER b 0..9ms", copies=5)

    assert (np.diff(view.chains.root) > 0).all()
    assert view.chains.trace.tolist() == list(range(10))
