"""Codes of resources and operations."""

import polars as pl

from ingest.otlp_requests import make_request, make_span
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import DescribedSpans, describe
from tracelith.ingest.intern import Interner
from tracelith.ingest.limits import MAX_NAMES
from tracelith.model.schema import LINK, OPERATION, OTHER, RESOURCE, SPAN, InternedBatch


def _described(*names: str, service: str = "shop") -> DescribedSpans:
    spans = [make_span(name=name) for name in names]
    return describe(decode_requests([make_request(*spans, resource={"service.name": service})]).raw)


def _fresh() -> Interner:
    return Interner(RESOURCE.to_frame(), OPERATION.to_frame())


def _names(batch: InternedBatch, operations: pl.DataFrame) -> list[str]:
    """Names of the batch's spans, read back through the operation table."""
    return batch.spans.join(operations, on="operation", maintain_order="left")["name"].to_list()


def test_codes_count_from_zero_and_frames_have_the_stores_columns() -> None:
    batch = _fresh().intern(_described("a", "b", "a"))

    assert batch.spans["operation"].to_list() == [0, 1, 0]
    assert (batch.spans.schema, batch.links.schema) == (SPAN, LINK)
    assert (batch.resources.schema, batch.operations.schema) == (RESOURCE, OPERATION)
    assert batch.operations.select("operation", "name").rows() == [(0, "a"), (1, "b")]


def test_only_rows_that_are_new_are_handed_on() -> None:
    interner = _fresh()
    first = interner.intern(_described("a", "b"))

    second = interner.intern(_described("b", "c", service="other"))

    assert second.operations.select("operation", "name").rows() == [(2, "c")]
    assert second.resources.select("resource", "service").rows() == [(1, "other")]
    assert _names(second, pl.concat([first.operations, second.operations])) == ["b", "c"]


def test_a_batch_of_known_rows_hands_on_empty_frames() -> None:
    interner = _fresh()
    interner.intern(_described("a"))

    again = interner.intern(_described("a"))

    assert (again.operations.height, again.resources.height) == (0, 0)
    assert (again.operations.schema, again.resources.schema) == (OPERATION, RESOURCE)


def test_an_interner_built_from_the_store_continues_its_numbering() -> None:
    first = _fresh().intern(_described("a", "b"))
    stored = first.operations.with_columns(pl.col("operation") + 40).reverse()

    batch = Interner(first.resources, stored).intern(_described("b", "new"))

    assert batch.spans["operation"].to_list() == [41, 42]
    assert batch.operations.select("operation", "name").rows() == [(42, "new")]


def test_rows_that_differ_in_one_column_get_their_own_codes() -> None:
    spans = [make_span({"server.address": address}, kind=kind) for address in ("x", "y") for kind in (3, 4)]

    batch = _fresh().intern(describe(decode_requests([make_request(*spans)]).raw))

    assert batch.spans["operation"].to_list() == [0, 1, 2, 3]


def test_text_spelled_differently_but_meaning_the_same_gets_one_code() -> None:
    spans = [make_span({"db.system": system}, kind=3) for system in ("mssql", "MSSQL", "microsoft.sql_server")]

    batch = _fresh().intern(describe(decode_requests([make_request(*spans)]).raw))

    assert batch.spans["operation"].to_list() == [0, 0, 0]
    assert batch.operations.height == 1


def test_a_service_with_ids_in_its_span_names_brings_only_so_many_and_harms_no_other() -> None:
    interner = _fresh()
    operations = []
    for start in range(0, 3 * MAX_NAMES, 500):
        batch = interner.intern(_described(*(f"job {number} of many" for number in range(start, start + 500))))
        operations.append(batch.operations)
        assert batch.spans.height == 500
    other = interner.intern(_described("place order", service="orders"))

    names = pl.concat(operations)["name"].to_list()
    assert len(names) == MAX_NAMES + 1
    assert names.count(OTHER) == 1
    assert _names(batch, pl.concat(operations)) == [OTHER] * 500
    assert other.operations["name"].to_list() == ["place order"]
