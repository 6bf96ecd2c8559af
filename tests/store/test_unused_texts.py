"""Resources and operations leave with the last span that used them, and never before."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.otlp_requests import START_NS, make_request, make_span
from tracelith.ingest.commit import SpanWriter
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import DescribedSpans, describe
from tracelith.ingest.limits import MAX_NAMES
from tracelith.model.schema import OTHER
from tracelith.store import Store

DAY_NS = 86_400_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "spans.duckdb") as opened:
        yield opened


def _spans(*names: str, day: int = 0, pod: str = "a") -> DescribedSpans:
    start_ns = START_NS + day * DAY_NS
    spans = [
        make_span(
            name=name, span_id=number.to_bytes(8, "big"), start_time_unix_nano=start_ns, end_time_unix_nano=start_ns
        )
        for number, name in enumerate(names, 1)
    ]
    resource = {"service.name": "shop", "service.instance.id": pod}
    return describe(decode_requests([make_request(*spans, resource=resource)]).raw)


def _forget_first_days(store: Store) -> None:
    windows = store.stale_windows(0.0)
    store.replace_facts(windows, {}, store.read_windows(windows).upto, {})
    store.retain(1.0, 400.0, START_NS + 5 * DAY_NS)
    store.find_unused_texts()


def _stored(store: Store) -> tuple[set[str], set[str]]:
    return set(store.operations()["name"]), set(store.resources()["instance"])


def test_texts_leave_with_the_last_span_that_used_them(store: Store) -> None:
    writer = SpanWriter(store)
    writer.write([_spans("old", "both", pod="gone"), _spans("both", "new", day=5, pod="here")])
    _forget_first_days(store)

    writer.write([_spans("newest", day=5, pod="here")])

    assert _stored(store) == ({"both", "new", "newest"}, {"here"})


def test_what_is_used_again_between_looking_and_deleting_stays(store: Store) -> None:
    writer = SpanWriter(store)
    writer.write([_spans("old", pod="gone"), _spans("new", day=5, pod="here")])
    _forget_first_days(store)
    other_writer_of_the_same_moment = SpanWriter(_Without(store))
    other_writer_of_the_same_moment.write([_spans("old", day=5, pod="gone")])

    dropped = store.drop_unused_texts()

    assert dropped is not None
    assert not dropped
    assert _stored(store) == ({"old", "new"}, {"gone", "here"})


def test_a_forgotten_text_that_returns_gets_a_row_of_its_own(store: Store) -> None:
    writer = SpanWriter(store)
    writer.write([_spans("old", pod="gone"), _spans("new", day=5, pod="here")])
    _forget_first_days(store)

    writer.write([_spans("old", day=5, pod="gone")])

    assert _stored(store) == ({"old", "new"}, {"gone", "here"})
    window = store.read_windows([START_NS + 5 * DAY_NS - (START_NS + 5 * DAY_NS) % 300_000_000_000])
    named = window.spans.join(window.operations, on="operation").join(window.resources, on="resource")
    assert set(named.select("name", "instance").rows()) == {("old", "gone"), ("new", "here")}


def test_a_service_may_bring_new_names_once_its_old_ones_are_gone(store: Store) -> None:
    writer = SpanWriter(store)
    writer.write([_spans(*(f"old {name}" for name in range(MAX_NAMES)))])
    writer.write([_spans("too many", day=5)])
    _forget_first_days(store)

    writer.write([_spans("welcome", day=5)])

    assert _stored(store)[0] == {OTHER, "welcome"}


def test_weeks_of_pods_leave_only_those_of_the_days_kept(store: Store) -> None:
    writer = SpanWriter(store)
    for day in range(10):
        writer.write([_spans("work", day=day, pod=f"pod {day} {number}") for number in range(5)])
        windows = store.stale_windows(0.0)
        store.replace_facts(windows, {}, store.read_windows(windows).upto, {})
        store.retain(2.0, 400.0, START_NS + day * DAY_NS)
        store.find_unused_texts()

    writer.write([_spans("work", day=10, pod="last")])

    assert store.resources().height <= 4 * 5 + 1


class _Without:
    """The store as a writer sees it that is told of nothing unused."""

    def __init__(self, store: Store) -> None:
        self.append = store.append
        self.resources = store.resources
        self.operations = store.operations
        self.record_refusals = store.record_refusals

    def drop_unused_texts(self) -> None:
        return None
