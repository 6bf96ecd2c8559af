"""Critical time below a span: what of its chain's critical path lies in it and in all it called."""

from tracelith.analysis.call_facts import critical_ns
from traces import view_of


def critical_ms(text: str) -> dict[str, float]:
    view = view_of(text)
    names = view.forest.operations["name"].to_list()
    return {
        names[operation]: float(time) / 1e6
        for operation, time in zip(view.forest.operation, critical_ns(view), strict=True)
    }


def test_a_span_has_its_own_critical_time_and_that_of_all_below_it() -> None:
    assert critical_ms("""
        shop SERVER GET / 0..100ms
          shop CLIENT slow 10..90ms
            price SERVER price 20..80ms
              price CLIENT rates 30..50ms peer=rates.example:443
          shop CLIENT fast 15..40ms
            stock SERVER stock 20..35ms
    """) == {"GET /": 100, "slow": 80, "price": 60, "rates": 20, "fast": 0, "stock": 0}


def test_what_was_handed_over_is_critical_to_its_own_chain_only() -> None:
    assert critical_ms("""
        shop SERVER GET / 0..100ms
          shop PRODUCER orders 10..15ms mq=kafka object=orders
            mailer CONSUMER mail 20..90ms mq=kafka object=orders
    """) == {"GET /": 100, "orders": 5, "mail": 70}


def test_spans_outside_chains_have_none() -> None:
    assert (
        critical_ms("""
        shop SERVER GET / 0..100ms
          shop CLIENT a 10..40ms peer=a.example:443
        shop SERVER lost 20..30ms orphan
          shop CLIENT b 21..22ms peer=b.example:443
    """)["lost"]
        == 0
    )
