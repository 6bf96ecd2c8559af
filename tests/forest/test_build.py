"""The forest: traces, parents and defects."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tracelith.forest import build_forest, observe_view
from tracelith.forest.view import TraceForest
from tracelith.model.ports import WindowSpans
from tracelith.model.schema import LINK, OPERATION, RESOURCE, SPAN, WINDOW_NS
from traces import START_NS, view_of, window_of


def parents(forest: TraceForest) -> list[tuple[str, str | None]]:
    names = forest.operations["name"].to_list()
    return [
        (names[forest.operation[i]], names[forest.operation[p]] if p >= 0 else None)
        for i, p in enumerate(forest.parent)
    ]


def test_spans_are_sorted_by_trace_and_start_and_know_their_parent() -> None:
    window = window_of("""
        shop  SERVER root   0..90ms
          shop  INTERNAL late    50..60ms
          shop  INTERNAL early   10..20ms
            shop  INTERNAL inner   12..14ms
    """)

    forest = build_forest(window)

    assert parents(forest) == [("root", None), ("early", "root"), ("inner", "early"), ("late", "root")]
    assert forest.depth_in_tree.tolist() == [0, 1, 2, 1]
    assert forest.trace_complete.tolist() == [True]


def test_no_spans_make_an_empty_view() -> None:
    frames = (pl.DataFrame(schema=schema) for schema in (SPAN, LINK, SPAN, RESOURCE, OPERATION))

    view = observe_view(WindowSpans((), *frames, upto=0))

    assert view.forest.trace_root.size == view.calls.client.size == view.path.chain.size == 0
    assert set(view.forest.counts.values()) == {0}


def test_a_text_code_that_no_table_has_is_refused() -> None:
    window = window_of("shop SERVER root 0..90ms")

    with pytest.raises(ValueError, match="a text for every code"):
        build_forest(replace(window, operations=window.operations.clear()))


def test_only_traces_whose_earliest_span_lies_in_a_window_are_kept() -> None:
    text = """
        shop  SERVER early  -1..2ms
          shop  INTERNAL child  1..2ms

        shop  SERVER inside  5..9ms
    """

    kept = build_forest(replace(window_of(text), windows=(START_NS,)))
    before = build_forest(replace(window_of(text), windows=(START_NS - WINDOW_NS,)))
    both = build_forest(replace(window_of(text), windows=(START_NS - WINDOW_NS, START_NS)))

    assert [name for name, _ in parents(kept)] == ["inside"]
    assert [name for name, _ in parents(before)] == ["early", "child"]
    assert both.trace_window.tolist() == [START_NS - WINDOW_NS, START_NS]


def test_the_longest_of_duplicate_spans_is_kept_whatever_the_order() -> None:
    window = window_of("""
        shop  SERVER root  0..90ms
          shop  INTERNAL part  10..20ms id=part
          shop  INTERNAL whole  10..30ms id=whole
    """)
    same_id = window.spans.with_columns(
        span_id=pl.when(pl.col("span_id") == 3).then(2).otherwise("span_id").cast(pl.UInt64)
    )

    for spans in (same_id, same_id.reverse()):
        forest = build_forest(replace(window, spans=spans))

        assert [name for name, _ in parents(forest)] == ["root", "whole"]
        assert forest.counts["duplicate_spans"] == 1
        assert forest.trace_complete.all()


def test_an_export_sent_twice_changes_only_the_count_of_duplicates() -> None:
    window = window_of("""
        shop  SERVER root  0..90ms
          shop  CLIENT call  10..20ms
            cart  SERVER answer  11..19ms
    """)

    once = build_forest(window)
    twice = build_forest(replace(window, spans=pl.concat([window.spans, window.spans])))

    assert parents(once) == parents(twice)
    assert twice.counts["duplicate_spans"] == 3


def test_the_same_span_id_in_two_traces_is_two_spans() -> None:
    window = window_of("""
        shop  SERVER first  0..90ms
          shop  INTERNAL one  1..2ms

        cart  SERVER second  0..90ms
          cart  INTERNAL two  1..2ms
    """)
    spans = window.spans.with_columns(
        span_id=((pl.col("span_id") - 1) % 2 + 1).cast(pl.UInt64),
        parent_id=pl.when(pl.col("parent_id") > 0).then(1).otherwise(0).cast(pl.UInt64),
    )

    forest = build_forest(replace(window, spans=spans))

    assert parents(forest) == [("first", None), ("one", "first"), ("second", None), ("two", "second")]
    assert forest.counts["duplicate_spans"] == 0


def test_traces_that_share_the_low_half_of_their_id_stay_apart() -> None:
    window = window_of("""
        shop  SERVER first  0..90ms

        cart  SERVER second  0..90ms
    """)
    spans = window.spans.with_columns(trace_hi=pl.Series([2, 1], dtype=pl.UInt64), trace_lo=pl.lit(7, dtype=pl.UInt64))

    forest = build_forest(replace(window, spans=pl.concat([spans, spans])))

    assert forest.trace_hi.tolist() == [1, 2]
    assert forest.trace_lo.tolist() == [7, 7]


def test_client_and_server_with_one_span_id_become_parent_and_child() -> None:
    forest = build_forest(
        window_of("""
        shop  SERVER root  0..90ms
          shop  CLIENT call  10..40ms
            cart  SERVER answer  12..38ms shared
              cart  INTERNAL work  13..30ms
              shop  INTERNAL retry-timer  13..30ms
        """)
    )

    assert parents(forest) == [
        ("root", None),
        ("call", "root"),
        ("answer", "call"),
        ("work", "answer"),
        ("retry-timer", "call"),
    ]
    assert forest.counts["duplicate_spans"] == 0
    assert forest.trace_complete.all()


def test_orphans_head_fragments_and_make_their_trace_incomplete() -> None:
    forest = build_forest(
        window_of("""
        shop  SERVER root  0..90ms
          cart  SERVER lost  10..40ms orphan
            cart  INTERNAL child  12..38ms
        """)
    )

    assert parents(forest) == [("root", None), ("lost", None), ("child", "lost")]
    assert forest.orphan.tolist() == [False, True, False]
    assert forest.counts["orphan_spans"] == 1
    assert forest.trace_complete.tolist() == [False]


def test_a_trace_of_orphans_has_no_root() -> None:
    forest = build_forest(window_of("cart SERVER lost 0..9ms orphan"))

    assert forest.trace_root.tolist() == [-1]
    assert forest.counts["rootless_traces"] == 1
    assert not forest.trace_complete.any()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_circles_are_cut_above_their_first_span_and_counted(size: int) -> None:
    lines = ["shop SERVER root 0..90ms"]
    lines += [f"shop INTERNAL c{i} {10 + i}..80ms id=c{i} parent=c{(i - 1) % size}" for i in range(size)]
    lines += [f"shop INTERNAL below 70..71ms parent=c{size - 1}"]

    forest = build_forest(window_of("\n".join(lines)))

    told = dict(parents(forest))
    assert told["c0"] is None
    assert all(told[f"c{i}"] == f"c{i - 1}" for i in range(1, size))
    assert told["below"] == f"c{size - 1}"
    assert forest.counts["cyclic_spans"] == size
    assert not forest.trace_complete.any()
    assert forest.depth_in_tree.max() == size


def test_a_very_long_chain_of_spans_needs_no_recursion() -> None:
    count = 20_000
    window = window_of("shop INTERNAL step 0..1ms")
    row = window.spans
    ids = np.arange(1, count + 1, dtype=np.uint64)
    spans = row.select(pl.all().gather(np.zeros(count, np.uint32))).with_columns(
        span_id=ids, parent_id=ids - np.uint64(1), start_ns=START_NS + np.arange(count)
    )

    view = observe_view(replace(window, spans=spans))

    assert view.forest.depth_in_tree[-1] == count - 1
    assert view.forest.trace_complete.all()


def test_two_roots_make_a_trace_incomplete() -> None:
    forest = build_forest(
        window_of("""
        shop  SERVER first  0..90ms
        shop  SERVER second  100..190ms
        """)
    )

    assert forest.counts["multi_root_traces"] == 1
    assert forest.trace_root.tolist() == [0]
    assert not forest.trace_complete.any()


def test_a_second_root_that_receives_a_message_leaves_a_trace_complete() -> None:
    view = view_of("""
        mail  CONSUMER receive  -50..-40ms
        shop  SERVER checkout  0..90ms
          shop  PRODUCER publish  10..11ms id=sent
        audit  INTERNAL record  200..210ms link=sent
    """)

    assert view.forest.counts["multi_root_traces"] == 0
    assert view.forest.trace_complete.all()
    assert view.forest.trace_root.tolist() == [1]
    assert view.chains.restarted.tolist() == [True, False, True]


def test_a_trace_of_one_receiver_is_complete() -> None:
    view = view_of("mail CONSUMER receive 0..9ms")

    assert view.forest.trace_complete.all()
    assert view.chains.restarted.tolist() == [True]


def test_implausible_clocks_are_counted_and_their_spans_kept() -> None:
    window = window_of("""
        shop  SERVER root  0..90ms
          shop  INTERNAL fine  1..2ms
          shop  INTERNAL tomorrow  100000..100001s
          shop  INTERNAL endless  3..200000000ms

        cart  SERVER fine  0..90ms
    """)
    spans = window.spans.with_columns(start_ns=pl.when(pl.col("trace_lo") == 2).then(0).otherwise("start_ns"))

    forest = build_forest(replace(window, spans=spans))

    assert forest.trace_counts["implausible_clock_spans"].tolist() == [2, 1]
    assert forest.span_id.size == 5


def test_clocks_at_both_ends_of_time_do_not_overflow() -> None:
    window = window_of("""
        shop  SERVER root  0..90ms
          shop  INTERNAL past  1..2ms
          shop  INTERNAL future  1..2ms
    """)
    extreme = [START_NS, 0, 2**63 - 2_000_000]

    view = observe_view(replace(window, spans=window.spans.with_columns(start_ns=pl.Series(extreme))))

    assert view.forest.start_ns.tolist() == sorted(extreme)
    assert (view.path.end_ns - view.path.start_ns).sum() == 90_000_000


def test_2_2_the_weight_of_a_trace_is_that_of_its_least_likely_span() -> None:
    forest = build_forest(
        window_of("""
        shop  SERVER root  0..90ms weight=2
          shop  INTERNAL rare  1..2ms weight=8

        shop  SERVER root  0..90ms weight=2
          shop  INTERNAL unknown  1..2ms weight=?

        shop  SERVER root  0..90ms weight=0.5
        """)
    )

    assert forest.trace_weight[0] == 8
    assert np.isnan(forest.trace_weight[1:]).all()
    assert forest.counts["unknown_sampling_traces"] == 2


def test_a_trace_has_the_environment_of_its_root() -> None:
    forest = build_forest(
        window_of("""
        shop  SERVER root  0..90ms environment=production
          cart  SERVER child  1..2ms environment=test
        """)
    )

    assert forest.environments == ("production", "test")
    assert forest.trace_environment.tolist() == [0]


def test_counts_are_the_sums_of_the_counts_per_trace() -> None:
    view = view_of("""
        shop  root  0..90ms
          shop  CLIENT call  10..40ms peer=bank:443

        cart  SERVER lost  0..9ms orphan weight=?
    """)

    for name, counts in view.forest.trace_counts.items():
        assert view.forest.counts[name] == counts.sum()
    assert view.forest.counts["kindless_spans"] == 1
    assert view.forest.counts["unpaired_client_spans"] == 1
