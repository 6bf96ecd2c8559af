"""Laws: what a view says does not depend on the order, the numbering, the repetition or the company of its rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forest.told import Told, tell
from tracelith.forest import observe_view
from tracelith.model.ports import WindowSpans
from traces import window_of

EVERYTHING = """
    gateway  SERVER order       0..100ms
      gateway  CLIENT order       5..95ms
        order  SERVER order         8..92ms shared
          order  CLIENT reserve       15..30ms ! peer=10.0.0.1:80
            inventory  SERVER reserve   16..29ms !
          order  CLIENT reserve       31..60ms peer=10.0.0.2:80
            inventory  SERVER reserve   532..555ms
              inventory  CLIENT update    535..550ms db=postgresql namespace=stock
          order  CLIENT reserve       31..60ms peer=10.0.0.2:80
          order  PRODUCER mail        65..66ms mq=kafka object=mail id=mail
          order  PRODUCER log         65..66ms mq=kafka object=log
            log  CONSUMER log           200..300ms mq=kafka object=log

    mailer  CONSUMER mail       400..500ms link=mail link=far weight=8
      mailer  CLIENT smtp         410..420ms
        istio-proxy  SERVER smtp    411..419ms
          relay  SERVER smtp          412..418ms

    shop  PRODUCER far  0..1ms id=far elsewhere

    frontend  Recv.        0..90ms
      frontend  GetCart      10..40ms
        cart  GetCart          12..38ms
      frontend  GetCart      10..40ms
        cart  GetCart          12..38ms

    shop  SERVER checkout  0..90ms
      cart  SERVER lost      10..40ms orphan
      shop  INTERNAL one     10..40ms id=one parent=two
      shop  INTERNAL two     10..40ms id=two parent=one
      shop  INTERNAL self    10..40ms id=self parent=self
"""


def expected() -> Told:
    return tell(observe_view(window_of(EVERYTHING)))


def shuffled(window: WindowSpans, seed: int) -> WindowSpans:
    return replace(
        window,
        spans=window.spans.sample(fraction=1, shuffle=True, seed=seed),
        links=window.links.sample(fraction=1, shuffle=True, seed=seed),
        resources=window.resources.sample(fraction=1, shuffle=True, seed=seed),
        operations=window.operations.sample(fraction=1, shuffle=True, seed=seed),
    )


def renumbered(window: WindowSpans, seed: int) -> WindowSpans:
    source = np.random.default_rng(seed)

    def renumber(column: str, frame: pl.DataFrame, *tables: pl.DataFrame) -> list[pl.DataFrame]:
        codes = source.choice(2**32 - 1, len(frame), replace=False).astype(np.uint32)
        new = dict(zip(frame[column].to_list(), codes.tolist(), strict=True))
        return [table.with_columns(pl.col(column).replace_strict(new, return_dtype=pl.UInt32)) for table in tables]

    resources, spans, linked = renumber(
        "resource", window.resources, window.resources, window.spans, window.linked_spans
    )
    operations, spans, linked = renumber("operation", window.operations, window.operations, spans, linked)
    return replace(window, spans=spans, linked_spans=linked, resources=resources, operations=operations)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_row_order_and_code_numbers_change_nothing(seed: int) -> None:
    window = window_of(EVERYTHING)

    told = tell(observe_view(renumbered(shuffled(window, seed), seed)))

    assert told == expected()


@pytest.mark.parametrize("seed", range(5))
def test_rows_sent_again_change_only_the_count_of_duplicates(seed: int) -> None:
    window = window_of(EVERYTHING)
    again = window.spans.sample(fraction=0.6, seed=seed)
    twice = replace(window, spans=pl.concat([window.spans, again]), links=pl.concat([window.links, window.links]))

    view = observe_view(shuffled(twice, seed))

    assert view.forest.counts["duplicate_spans"] == len(again)
    told, before = tell(view), expected()
    assert (told.spans, told.calls, told.chains, told.segments) == (
        before.spans,
        before.calls,
        before.chains,
        before.segments,
    )


def test_texts_under_two_codes_are_one_text() -> None:
    window = window_of(EVERYTHING)
    other = window.resources.with_columns(resource=pl.col("resource") + 1_000)
    spans = window.spans.with_columns(
        resource=pl.when(pl.col("span_id") % 2 == 0).then(pl.col("resource") + 1_000).otherwise("resource")
    )

    told = tell(observe_view(replace(window, spans=spans, resources=pl.concat([window.resources, other]))))

    assert told == expected()


def test_an_unrelated_trace_changes_nothing_about_the_others() -> None:
    unrelated = """
        bank  SERVER transfer  0..90ms
          bank  CLIENT book      10..40ms
            ledger  SERVER book      12..38ms
    """

    told = tell(observe_view(window_of(f"{EVERYTHING}\n\n{unrelated}")))

    before = expected()
    assert told.spans > before.spans
    assert told.calls > before.calls
    assert told.chains > before.chains
    assert told.segments > before.segments
    assert told.traces > before.traces


def test_traces_observed_in_parts_say_the_same_as_together() -> None:
    window = window_of(EVERYTHING)

    parts = [
        tell(observe_view(replace(window, spans=spans)))
        for spans in window.spans.partition_by("trace_lo", maintain_order=True)
    ]

    whole = expected()
    assert frozenset().union(*(part.spans for part in parts)) == whole.spans
    assert frozenset().union(*(part.chains for part in parts)) == whole.chains
    assert frozenset().union(*(part.segments for part in parts)) == whole.segments
