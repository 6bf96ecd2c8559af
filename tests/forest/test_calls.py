"""Calls: which spans form one, who the peer is, and which attempts belong together."""

import pytest

from forest.told import chains, edges
from tracelith.forest import observe_view
from traces import view_of, window_of


def test_client_and_server_are_one_call() -> None:
    view = view_of("""
        shop   SERVER checkout   0..90ms
          shop   CLIENT price      10..40ms
            price  SERVER answer     12..38ms
    """)

    calls = view.calls
    assert edges(view) == [("shop", "price", "sync")]
    assert (calls.client.tolist(), calls.server.tolist(), calls.request.tolist()) == ([1], [2], [0])
    assert calls.duration_ns.tolist() == [30_000_000]
    assert calls.network_ns.tolist() == [4_000_000]
    assert calls.node_names[: len(view.forest.services)] == view.forest.services


def test_a_call_inside_a_service_is_no_call() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT self      10..40ms
            shop  SERVER again     12..38ms
    """)

    assert edges(view) == []
    assert view.forest.counts["unpaired_client_spans"] == 0


def test_a_server_below_another_services_server_lacks_its_client_side() -> None:
    view = view_of("""
        shop   SERVER checkout   0..90ms
          shop   INTERNAL work     5..80ms
            price  SERVER answer     12..38ms
    """)

    calls = view.calls
    assert edges(view) == [("shop", "price", "sync")]
    assert (calls.client.tolist(), calls.request.tolist()) == ([1], [0])
    assert calls.duration_ns.tolist() == [26_000_000]
    assert calls.network_ns.tolist() == [-1]


def test_a_service_without_server_span_is_still_the_callee() -> None:
    view = view_of("""
        shop   SERVER checkout   0..90ms
          shop   CLIENT price      10..40ms
            price  INTERNAL lookup   12..38ms
    """)

    assert edges(view) == [("shop", "price", "sync")]


def test_spans_between_client_and_server_do_not_part_them() -> None:
    view = view_of("""
        shop   SERVER checkout    0..90ms
          shop   CLIENT price       10..40ms
            shop   INTERNAL send      11..39ms
              price  SERVER answer      12..38ms
    """)

    assert view.calls.client.tolist() == [1]
    assert view.calls.network_ns.tolist() == [4_000_000]


def test_a_client_span_around_several_calls_is_the_client_side_of_none() -> None:
    view = view_of("""
        shop   SERVER checkout    0..90ms
          shop   CLIENT graphql     10..80ms
            shop   INTERNAL first     11..39ms
              price  SERVER answer      12..38ms
            shop   INTERNAL second    41..69ms
              stock  SERVER answer      42..68ms
    """)

    assert edges(view) == [("shop", "price", "sync"), ("shop", "stock", "sync")]
    assert view.calls.client.tolist() == [2, 4]
    assert view.calls.network_ns.tolist() == [-1, -1]


def test_nested_client_spans_are_one_call_by_the_innermost() -> None:
    view = view_of("""
        shop   SERVER checkout    0..90ms
          shop   CLIENT sdk         10..80ms
            shop   CLIENT http        11..79ms
              price  SERVER answer      12..38ms
    """)

    assert edges(view) == [("shop", "price", "sync")]
    assert view.calls.client.tolist() == [2]


def test_the_transport_of_a_database_client_is_not_a_second_call() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT get       10..80ms db=dynamodb namespace=carts
            shop  CLIENT POST      11..79ms peer=dynamodb.example:443
    """)

    assert edges(view) == [("shop", "dynamodb carts", "sync")]


def test_the_transport_of_a_database_client_that_heads_its_trace_is_not_a_second_call() -> None:
    view = view_of("""
        shop  CLIENT get       10..80ms db=dynamodb namespace=carts
          shop  CLIENT POST      11..79ms peer=dynamodb.example:443
    """)

    assert edges(view) == [("shop", "dynamodb carts", "sync")]


@pytest.mark.parametrize(
    ("flags", "name", "kind", "mode"),
    [
        ("db=postgresql namespace=users", "postgresql users", "datastore", "sync"),
        ("db=redis peer=cache:6379", "redis cache:6379", "datastore", "sync"),
        ("db=redis", "redis", "datastore", "sync"),
        ("mq=kafka object=orders", "kafka orders", "destination", "async"),
        ("mq=kafka object=orders action=publish", "kafka orders", "destination", "async"),
        ("mq=kafka object=orders action=receive", "kafka orders", "destination", "sync"),
        ("peer_service=bank peer=bank.example:443", "bank", "external", "sync"),
        ("peer=bank.example:443", "bank.example:443", "external", "sync"),
        ("peer_service=price", "price", "service", "sync"),
        ("peer=price:8080", "price", "service", "sync"),
        ("peer=price.shop.svc.cluster.local:8080", "price", "service", "sync"),
        ("", "(unnamed peer)", "external", "sync"),
    ],
)
def test_a_client_span_without_server_goes_to_the_peer_its_attributes_name(
    flags: str, name: str, kind: str, mode: str
) -> None:
    view = view_of(f"""
        shop  SERVER checkout  0..90ms
          shop  CLIENT call      10..40ms {flags}

        price SERVER other  0..1ms
    """)

    assert edges(view) == [("shop", name, mode)]
    assert [view.calls.node_kinds[callee] for callee in view.calls.callee] == [kind]
    assert view.calls.server.tolist() == [-1]
    assert view.forest.counts["unpaired_client_spans"] == (kind in ("external", "service"))


def test_a_message_is_deferred_by_parent() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  PRODUCER publish   10..11ms mq=kafka object=orders
            mail  CONSUMER process   12..38ms mq=kafka object=orders
    """)

    assert edges(view) == [("shop", "mail", "async")]
    assert [chain[0] for chain in chains(view)] == ["shop checkout", "mail process"]


def test_a_message_sent_with_a_client_span_is_deferred_for_its_receiver_too() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT publish     10..40ms mq=kafka object=orders
            mail  CONSUMER process   12..38ms mq=kafka object=orders
            log   CONSUMER process   12..38ms mq=kafka object=orders
    """)

    assert edges(view) == [("shop", "log", "async"), ("shop", "mail", "async")]


def test_a_span_link_joins_producer_and_receiver_of_two_traces() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  PRODUCER publish   10..11ms id=sent mq=kafka object=orders

        mail  CONSUMER process   500..538ms link=sent mq=kafka object=orders
    """)

    calls = view.calls
    assert edges(view) == [("shop", "kafka orders", "async"), ("shop", "mail", "async")]
    received = calls.linked.tolist().index(True)
    assert (calls.client[received], calls.server[received], calls.request[received]) == (-1, 2, -1)


def test_a_span_link_within_a_trace_joins_producer_and_receiver_to_one_call() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms
          shop  PRODUCER publish   10..11ms id=sent mq=kafka object=orders
          mail  CONSUMER process   50..60ms link=sent mq=kafka object=orders
    """)

    calls = view.calls
    assert edges(view) == [("shop", "mail", "async")]
    assert calls.client.tolist().count(1) == 1


def test_calls_do_not_depend_on_whether_the_producer_is_read_together_with_its_receiver() -> None:
    text = """
        shop  PRODUCER publish   10..11ms id=sent mq=kafka object=orders{elsewhere}

        mail  CONSUMER process   500..538ms link=sent mq=kafka object=orders
    """

    together, apart = view_of(text.format(elsewhere="")), view_of(text.format(elsewhere=" elsewhere"))

    assert [edge for edge in edges(together) if edge[1] == "mail"] == edges(apart) == [("shop", "mail", "async")]


def test_a_span_link_names_a_producer_of_another_window() -> None:
    view = view_of("""
        shop  PRODUCER publish   10..11ms id=sent mq=kafka object=orders elsewhere

        mail  CONSUMER process   500..538ms link=sent mq=kafka object=orders
    """)

    calls = view.calls
    assert edges(view) == [("shop", "mail", "async")]
    assert (calls.client.tolist(), calls.server.tolist(), calls.request.tolist()) == ([-1], [0], [-1])
    assert calls.duration_ns.tolist() == [38_000_000]


def test_a_batch_receives_from_every_producer_it_links_to() -> None:
    view = view_of("""
        shop  PRODUCER publish  0..1ms id=a mq=kafka object=orders

        cart  PRODUCER publish  0..1ms id=b mq=kafka object=orders

        mail  CONSUMER process   500..538ms link=a link=b
    """)

    received = [edge for edge in edges(view) if edge[1] == "mail"]
    assert received == [("cart", "mail", "async"), ("shop", "mail", "async")]


def test_links_that_carry_no_message_are_no_calls() -> None:
    view = view_of("""
        shop  SERVER first  0..1ms id=a

        cart  SERVER second  5..9ms link=a
    """)

    assert edges(view) == []


def test_a_link_to_the_parent_adds_nothing() -> None:
    view = view_of("""
        shop  PRODUCER publish  0..1ms id=a
          mail  CONSUMER process   2..3ms link=a
    """)

    assert edges(view) == [("shop", "mail", "async")]
    assert not view.calls.linked.any()


def test_20_11_sidecars_are_not_hops_and_their_time_is_time_on_the_way() -> None:
    view = view_of("""
        shop   SERVER checkout    0..90ms
          shop   CLIENT price       10..50ms
            istio-proxy  CLIENT out    11..49ms host=shop
              istio-proxy  SERVER in     20..40ms host=price
                price  SERVER answer       22..38ms
    """)

    assert edges(view) == [("shop", "price", "sync")]
    assert chains(view)[0][1:] == (1, 1, 1, ("shop", "price"))
    assert view.calls.client.tolist() == [1]
    assert view.calls.network_ns.tolist() == [24_000_000]


def test_a_sidecar_is_known_by_scope_and_a_gateway_by_its_name() -> None:
    view = view_of("""
        api-gateway   SERVER enter    0..95ms scope=envoy
          api-gateway   CLIENT shop    1..94ms scope=envoy
            shop-mesh   SERVER in      2..93ms scope=envoy
              shop   SERVER checkout    3..90ms
    """)

    assert edges(view) == [("api-gateway", "shop", "sync")]


def test_a_sidecar_that_heads_a_trace_counts_as_the_service_behind_it() -> None:
    view = view_of("""
        istio-proxy   SERVER in    0..95ms
          shop   SERVER checkout    3..90ms
            shop   CLIENT price       10..50ms
              price  SERVER answer       22..38ms
    """)

    assert edges(view) == [("shop", "price", "sync")]
    assert chains(view)[0][4] == ("shop", "price")


def test_a_sidecar_at_the_entrance_counts_as_its_service_even_if_that_is_a_gateway() -> None:
    view = view_of("""
        gateway.default   SERVER in     0..95ms scope=envoy
          gateway.default   CLIENT out    1..94ms scope=envoy
            gateway   SERVER checkout    3..90ms
              gateway   CLIENT price       10..50ms
                price.default   SERVER in     11..49ms scope=envoy
                  price.default   CLIENT out    12..48ms scope=envoy
                    price   SERVER answer       22..38ms
    """)

    assert edges(view) == [("gateway", "price", "sync")]
    assert chains(view)[0][4] == ("gateway", "price")
    assert view.chains.entry_operations == ("checkout",)


def test_the_sidecar_of_a_silent_service_stands_for_it() -> None:
    view = view_of("""
        shop   SERVER checkout    0..90ms
          shop   CLIENT price       10..50ms
            price.default   SERVER in     11..49ms scope=envoy
              price.default   CLIENT out    12..48ms scope=envoy
                tax   SERVER answer       22..38ms
    """)

    assert edges(view) == [("price.default", "tax", "sync"), ("shop", "price.default", "sync")]
    assert chains(view)[0][4] == ("shop", "price.default", "tax")


def test_a_mesh_whose_services_are_all_silent_shows_them_as_its_proxies() -> None:
    view = view_of("""
        shop.default   SERVER in     0..95ms scope=envoy
          shop.default   CLIENT out    1..94ms scope=envoy
            price.default   SERVER in     11..49ms scope=envoy
              price.default   CLIENT out    12..48ms scope=envoy
    """)

    assert edges(view) == [("shop.default", "price.default", "sync")]
    assert chains(view)[0][4] == ("shop.default", "price.default")


def test_a_thin_service_on_the_same_host_is_a_hop_all_the_same() -> None:
    view = view_of("""
        shop   SERVER checkout    0..100ms host=node
          shop   CLIENT price       0..99ms host=node
            facade  SERVER pass        1..98ms host=node
              facade  CLIENT pass        1..97ms host=node
                price  SERVER answer       2..96ms host=node
    """)

    assert chains(view)[0][1:] == (2, 2, 2, ("shop", "facade", "price"))


def test_without_kinds_a_span_whose_only_child_runs_elsewhere_is_the_client_side() -> None:
    view = view_of("""
        frontend   Recv.         0..90ms
          frontend   GetCart       10..40ms
            cart       GetCart       12..38ms
              cart       query         13..20ms db=redis
    """)

    assert edges(view) == [("cart", "redis", "sync"), ("frontend", "cart", "sync")]
    assert view.calls.client.tolist() == [1, 3]
    assert view.calls.network_ns.tolist() == [4_000_000, -1]
    assert view.forest.counts["kindless_spans"] == 4


def test_without_kinds_a_whole_request_is_not_taken_for_a_client_span() -> None:
    view = view_of("""
        frontend   Recv.    0..90ms
          cart       GetCart  12..38ms
    """)

    assert edges(view) == [("frontend", "cart", "sync")]
    assert view.calls.network_ns.tolist() == [-1]


def test_without_kinds_messaging_attributes_make_a_call_deferred() -> None:
    view = view_of("""
        shop  checkout  0..90ms
          shop  publish   10..11ms mq=kafka object=orders action=publish
            mail  process   12..38ms mq=kafka object=orders action=process
          shop  publish   20..21ms mq=kafka object=audit action=publish
    """)

    assert edges(view) == [("shop", "kafka audit", "async"), ("shop", "mail", "async")]


def test_1_2_a_failed_attempt_and_its_repetition_are_one_logical_call() -> None:
    view = view_of("""
        shop   SERVER checkout   0..90ms
          shop   CLIENT price      10..20ms !
            price  SERVER answer     12..18ms !
          shop   CLIENT price      25..35ms !
          shop   CLIENT price      40..50ms
            price  SERVER answer     42..48ms

        price  SERVER other  0..1ms
    """).calls

    assert view.node_names[view.callee[0]] == "price"
    paired = [i for i in range(3) if view.server[i] >= 0]
    assert len({int(view.logical[i]) for i in paired}) == 1
    assert [bool(view.final[i]) for i in paired] == [False, True]


def test_attempts_that_count_resends_belong_together_and_parallel_calls_do_not() -> None:
    resent = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT price   10..20ms peer=price:1
          shop  CLIENT price   30..40ms peer=price:2 attempt=1
    """).calls
    parallel = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT price   10..20ms peer=price:1 !
          shop  CLIENT price   15..25ms peer=price:1
    """).calls
    repeated = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT price   10..20ms peer=price:1
          shop  CLIENT price   30..40ms peer=price:1
    """).calls

    assert len(set(resent.logical.tolist())) == 2, "two addresses are two callees until a service is behind them"
    assert len(set(parallel.logical.tolist())) == 2
    assert len(set(repeated.logical.tolist())) == 2
    assert repeated.final.all()


def test_attempts_at_two_instances_of_a_service_are_one_logical_call() -> None:
    calls = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT price   10..20ms peer=10.0.0.1:80 !
            price SERVER answer  12..18ms !
          shop  CLIENT price   30..40ms peer=10.0.0.2:80 attempt=1
            price SERVER answer  32..38ms
    """).calls

    assert calls.logical.tolist() == [0, 0]
    assert calls.final.tolist() == [False, True]


def test_server_spans_below_one_client_span_are_attempts() -> None:
    calls = view_of("""
        shop  SERVER checkout  0..90ms
          shop  CLIENT price   10..80ms
            price SERVER answer  12..18ms !
            price SERVER answer  32..38ms
    """).calls

    assert calls.logical.tolist() == [0, 0]
    assert calls.final.tolist() == [False, True]


def test_calls_do_not_depend_on_other_traces() -> None:
    text = """
        shop  SERVER checkout  0..90ms
          shop  CLIENT price   10..80ms
            price SERVER answer  12..18ms
    """

    alone, among = observe_view(window_of(text)), observe_view(window_of(text, copies=3))

    assert edges(among) == sorted(edges(alone) * 3)
