"""Details of spans at rest: found by trace, apart for the halves of a call, and gone with the raw spans."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest

from store.analysing import analyse
from store.rows import COUNTS, DAY, T0, batch, dimensions, operations, span
from tracelith.model.schema import DETAIL, WINDOW_NS, InternedBatch
from tracelith.store import Store, migrate
from tracelith.store import details as module
from tracelith.store.details import SPAN_DETAIL

all_migrations = migrate.migrations()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as opened:
        opened.ensure_fact_tables([COUNTS])
        opened.append([dimensions()])
        yield opened


def telling(rows: InternedBatch, *bodies: bytes) -> InternedBatch:
    """The batch with these details of its spans."""
    told = pl.DataFrame([(body, b"", 0) for body in bodies], DETAIL, orient="row")
    return replace(rows, details=told)


def told(store: Store, trace: int) -> dict[int, bytes]:
    rows = store.read_details(0, trace)
    assert rows.schema == SPAN_DETAIL
    return dict(rows.select("span_id", "span").rows())


def bodies(store: Store) -> int:
    with store._database.cursor() as cursor:
        (count,) = cursor.execute("SELECT count(DISTINCT (commit_no, window_ns)) FROM span_detail").fetchone()
    return int(count)


def test_each_span_of_a_trace_gets_its_own_details_back(store: Store) -> None:
    store.append([telling(batch([span(1, 1, T0), span(2, 1, T0), span(1, 2, T0)]), b"one", b"other", b"two")])
    store.append([telling(batch([span(1, 3, T0 + WINDOW_NS)]), b"three")])

    assert told(store, 1) == {1: b"one", 2: b"two", 3: b"three"}
    assert told(store, 2) == {1: b"other"}
    assert told(store, 3) == {}


def test_the_halves_of_a_call_that_share_an_id_keep_their_own(store: Store) -> None:
    client = operations().with_columns(operation=pl.lit(1, pl.UInt32), kind=pl.lit(3, pl.UInt8))
    store.append([replace(dimensions(), operations=client)])
    halves = [span(1, 7, T0), {**span(1, 7, T0), "operation": 1}]

    store.append([telling(batch(halves), b"served", b"called")])

    rows = store.read_details(0, 1).sort("kind")
    assert rows.select("kind", "span").rows() == [(2, b"served"), (3, b"called")]


def test_a_span_that_came_twice_is_told_once(store: Store) -> None:
    for _ in range(2):
        store.append([telling(batch([span(1, 1, T0)]), b"one")])

    assert told(store, 1) == {1: b"one"}


def test_nothing_is_stored_for_batches_without_details(store: Store) -> None:
    store.append([batch([span(1, 1, T0)])])
    store.append([telling(batch([span(2, 1, T0)]), b"")])

    assert bodies(store) == 0
    assert told(store, 1) == {}


def test_batches_with_and_without_details_share_a_commit(store: Store) -> None:
    store.append([batch([span(1, 1, T0)]), telling(batch([span(1, 2, T0)]), b"two"), batch([span(1, 3, T0)])])

    assert told(store, 1) == {2: b"two"}


def test_details_go_with_the_raw_spans_of_their_window_and_not_before(store: Store) -> None:
    spans = [span(1, 1, T0), span(1, 2, T0 + 8 * DAY)]
    store.append([telling(batch(spans), b"old", b"young")])

    store.retain(7, 400, T0 + 9 * DAY)
    assert told(store, 1) == {1: b"old", 2: b"young"}, "what is not analysed yet stays"

    analyse(store)
    store.retain(7, 400, T0 + 9 * DAY)
    assert told(store, 1) == {2: b"young"}
    assert bodies(store) == 1

    store.retain(7, 400, T0 + 100 * DAY)
    assert bodies(store) == 0


def test_details_go_when_spans_are_deleted_for_space(tmp_path: Path) -> None:
    limit = 1_000_000
    with Store.open(tmp_path / "t.duckdb") as store:
        store.ensure_fact_tables([COUNTS])
        store.append([dimensions()])
        spans = [span(trace, 1, T0) for trace in range(1, 20_000)]
        store.append([telling(batch(spans), *[b"%d" % number * 40 for number in range(1, 20_000)])])
        analyse(store)

        shrunk = store.shrink(limit, T0 + DAY)

        assert shrunk.deleted_spans == len(spans)
        assert bodies(store) == 0


def test_a_trace_of_very_many_commits_shows_the_details_of_its_earliest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PACKS_READ", 2)
    for number in range(1, 5):
        store.append([telling(batch([span(1, number, T0 + number * WINDOW_NS)]), b"%d" % number)])

    assert told(store, 1) == {1: b"1", 2: b"2"}


OLD_SPAN = """
    INSERT INTO span BY NAME SELECT 0 AS trace_hi, 1 AS trace_lo, 1 AS span_id, 0 AS parent_id, $at::BIGINT AS start_ns,
        1000 AS duration_ns, 0 AS resource, 0 AS operation, 0 AS status, 0 AS outcome, 0 AS attempt, 0 AS defects,
        NULL AS weight, 1 AS commit_no
"""


def test_a_file_from_before_there_were_details_gets_room_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "t.duckdb"
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations", lambda: all_migrations[:1])
        Store.open(file).close()
    with duckdb.connect(str(file)) as connection:  # what a version of that time has written
        connection.execute(OLD_SPAN, {"at": T0})

    with Store.open(file) as store:
        store.append([dimensions(), telling(batch([span(1, 2, T0)]), b"two")])
        assert told(store, 1) == {2: b"two"}
        assert store.size().spans == 2


def test_details_outlive_a_restart_and_are_a_fraction_of_what_was_said(tmp_path: Path) -> None:
    file = tmp_path / "t.duckdb"
    said = [b"http.request.method GET url.path /v1/items/%d" % number for number in range(4_000)]
    with Store.open(file) as store:
        store.append([dimensions()])
        store.append([telling(batch([span(1, number + 1, T0 + number) for number in range(4_000)]), *said)])
        packed = store._database
        with packed.cursor() as cursor:
            (size,) = cursor.execute("SELECT sum(octet_length(body)) FROM span_detail").fetchone()

    with Store.open(file) as store:
        assert told(store, 1) == {number + 1: body for number, body in enumerate(said)}
    assert size < sum(map(len, said)) / 2
