"""Traces nobody here wrote: the forest of each says what its system is known to do."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from end_to_end.reading import read_window
from forest.told import chains, edges, hop_times
from tracelith.forest import observe_view
from tracelith.forest.view import ForestView

CRISP_CASES = [*(f"{number}.json" for number in range(1, 26))]
CRISP_CASES += [f"err_pattern{pattern}/err{number}.json" for pattern in range(1, 5) for number in (1, 2)]

SIBLINGS_OVERLAP = {"10.json": 2, "19.json": 10, "20.json": 10, "21.json": 10}
"""Cases whose siblings overlap within the tolerance, and by how many microseconds in all.

CRISP gives the overlap to both siblings and takes it from their parent; here every instant is charged once, so the
earlier sibling is cut off and the parent keeps its own time.
"""


def own_times_us(view: ForestView) -> Counter[str]:
    times: Counter[str] = Counter()
    forest, path = view.forest, view.path
    names = forest.operations["name"].to_list()
    for span, low, high in zip(path.span, path.start_ns, path.end_ns, strict=True):
        service = forest.services[forest.service[span]]
        times[f"[{service}] {names[forest.operation[span]]}"] += (int(high) - int(low)) // 1_000
    return times


@pytest.mark.parametrize("case", CRISP_CASES)
def test_crisp_cases_have_the_path_that_crisp_documents(shared_data: Path, case: str) -> None:
    file = shared_data / "jaeger" / "crisp_cases" / case
    documented = json.loads(file.read_text())["testing"]
    documented = documented[0] if isinstance(documented, list) else documented["opTimeExclusive"]

    view = observe_view(read_window(file))

    own = own_times_us(view)
    assert own.total() == view.forest.duration_ns[view.chains.root].sum() // 1_000
    differences = {name: own[name] - time for name, time in documented.items() if own[name] != time}
    overlap = SIBLINGS_OVERLAP.get(case, 0)
    assert differences.get("[S1] O1", 0) == overlap
    assert sum(differences.values()) == 0
    assert set(own) <= set(documented)


@pytest.mark.parametrize("load", ["hotel_load25", "hotel_load150"])
def test_the_hotel_is_two_hops_deep_through_its_search(shared_data: Path, load: str) -> None:
    view = observe_view(read_window(shared_data / "jaeger" / f"{load}.json.gz"))

    assert set(edges(view)) == {
        ("frontend", "search", "sync"),
        ("frontend", "reservation", "sync"),
        ("frontend", "profile", "sync"),
        ("search", "geo", "sync"),
        ("search", "rate", "sync"),
    }
    assert {chain[:4] for chain in chains(view)} == {("frontend HTTP GET /hotels", 2, 2, 2)}
    assert {chain[4] for chain in chains(view)} == {("frontend", "search", "geo"), ("frontend", "search", "rate")}
    assert len(chains(view)) == 400


def test_a_boutique_without_span_kinds_is_shallow_and_its_calls_have_two_sides(shared_data: Path) -> None:
    view = observe_view(read_window(shared_data / "otlp" / "online_boutique_no_kinds.jsonl.gz"))

    assert view.chains.hops_any.max() == 2
    assert view.forest.counts["kindless_spans"] == view.forest.span_id.size
    assert not view.calls.deferred.any()
    assert np.mean(view.calls.network_ns >= 0) > 0.99
    assert ("recommendationservice", "productcatalogservice", "sync") in edges(view)
    # Its clients resolve names and wait; nearly all the time is spent between the services, little in them.
    times = hop_times(view)
    between = sum(time for (_, kind), time in times.items() if kind == "network")
    assert between > 0.8 * sum(times.values())


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("ascend.json", [("mobile-gateway", "auth-service"), ("mobile-gateway", "content-service")]),
        ("skew.json", [("servicea", "serviceb")]),
        ("yelp.json", [("mobile_api", "spectre"), ("unknown", "yelp_main/api_proxy"), ("yelp-main", "mobile_api")]),
    ],
)
def test_zipkin_spans_that_share_an_id_are_one_call(
    shared_data: Path, file: str, expected: list[tuple[str, str]]
) -> None:
    view = observe_view(read_window(shared_data / "zipkin" / file))

    calls, forest = view.calls, view.forest
    shared = (calls.server >= 0) & (forest.span_id[calls.client] == forest.span_id[calls.server])
    pairs = [(forest.services[calls.caller[i]], calls.node_names[calls.callee[i]]) for i in np.flatnonzero(shared)]
    assert sorted(pairs) == expected
    assert calls.awaited[shared].all()
    assert forest.counts["duplicate_spans"] == 0


def test_zipkin_messages_start_chains_of_their_own(shared_data: Path) -> None:
    view = observe_view(read_window(shared_data / "zipkin" / "messaging.json"))

    assert edges(view) == [("frontend", "backend", "async")]
    assert view.chains.restarted.tolist() == [False, True]
