"""Calls of any tree, against what the definitions say span by span (metrics.md §1.2)."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.forest.view import ForestView
from tracelith.model.schema import Kind, Outcome
from traces import view_of

SPAN = st.tuples(
    st.integers(0, 4),  # how far up the tree its parent is
    st.sampled_from(["shop", "cart", "price"]),
    st.sampled_from(["SERVER", "CLIENT", "CLIENT", "INTERNAL"]),
    st.sampled_from(["ask", "tell"]),
    st.integers(1, 4),  # length in milliseconds; spans begin one millisecond after the other
    st.sampled_from(["", "", "!", "cancelled", "attempt=1"]),
)
SPANS = st.lists(SPAN, min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(SPANS)
def test_sides_are_what_the_tree_says(spans: list[tuple[int, str, str, str, int, str]]) -> None:
    view = view_of(written(spans))

    found = list(zip(view.calls.client.tolist(), view.calls.server.tolist(), strict=True))
    assert found == sorted(sides(view))


@settings(max_examples=150, deadline=None)
@given(SPANS)
def test_attempts_are_numbered_as_they_repeat_each_other(spans: list[tuple[int, str, str, str, int, str]]) -> None:
    view = view_of(written(spans))

    logical, final = attempts(view)
    assert view.calls.logical.tolist() == logical
    assert view.calls.final.tolist() == final


def written(spans: list[tuple[int, str, str, str, int, str]]) -> str:
    depth, lines = 0, []
    for at, (up, service, kind, name, length, flag) in enumerate(spans):
        depth = max(depth + 1 - up, 1) if at else 0
        lines.append(f"{'  ' * depth}{service} {kind} {name} {at}..{at + length}ms {flag}")
    return "\n".join(lines)


def sides(view: ForestView) -> list[tuple[int, int]]:
    forest = view.forest
    parent, service, kind = forest.parent.tolist(), forest.service.tolist(), forest.kind.tolist()

    def enters(span: int) -> bool:
        above = parent[span]
        return (
            above < 0 or service[above] != service[span] or (kind[span] == Kind.SERVER and kind[above] == Kind.CLIENT)
        )

    def client_around(span: int) -> int:
        while kind[span] != Kind.CLIENT:
            if enters(span):
                return -1
            span = parent[span]
        return span

    inside: dict[int, list[int]] = {}
    calls, busy = [], set()
    for span in range(len(parent)):
        above = parent[span]
        if enters(span) and above >= 0:
            if service[above] == service[span]:
                busy.add(above)
            else:
                inside.setdefault(client_around(above), []).append(span)
        elif kind[span] == Kind.CLIENT and above >= 0:
            busy.add(client_around(above))
    for client, servers in inside.items():
        shared = client < 0 or len(servers) > 1
        calls += [(parent[server] if shared else client, server) for server in servers]
    alone = {span for span in range(len(parent)) if kind[span] == Kind.CLIENT} - busy - set(inside)
    return calls + [(client, -1) for client in alone]


def attempts(view: ForestView) -> tuple[list[int], list[bool]]:
    forest, calls = view.forest, view.calls
    several = np.bincount(calls.client, minlength=1)
    names = forest.operations["name"].to_list()
    groups: dict[tuple[int, int, str], list[tuple[int, int, int, int]]] = {}
    for call, (client, server, callee) in enumerate(
        zip(calls.client.tolist(), calls.server.tolist(), calls.callee.tolist(), strict=True)
    ):
        is_client = server < 0 or (forest.kind[client] == Kind.CLIENT and several[client] == 1)
        span = client if is_client else server
        key = (int(forest.parent[span]), callee, names[forest.operation[span]])
        if key[0] >= 0:
            groups.setdefault(key, []).append((int(forest.start_ns[span]), span, server, call))
    first, final = list(range(calls.client.size)), [True] * calls.client.size
    for group in groups.values():
        for (began, before, answered, one), (start, after, _, other) in pairwise(sorted(group)):
            failed = forest.outcome[before] in (Outcome.FAILED, Outcome.CANCELLED)
            failed |= answered >= 0 and forest.outcome[answered] == Outcome.FAILED
            over = start - began >= forest.duration_ns[before]
            if over and (failed or forest.attempt[after] >= 1):
                first[other], final[one] = first[one], False
    numbers = {call: number for number, call in enumerate(sorted(set(first)))}
    return [numbers[call] for call in first], final
