"""Floods of names, instances and destinations are folded where they flood, and nowhere else."""

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.otlp_requests import make_request, make_span
from tracelith.ingest import limits
from tracelith.ingest.decode import decode_requests
from tracelith.ingest.describe import DescribedSpans, describe
from tracelith.ingest.intern import Interner
from tracelith.ingest.limits import (
    MAX_ENVIRONMENTS,
    MAX_NAMES,
    MAX_ROWS,
    MAX_SERVICES,
    MAX_TABLE_ROWS,
    MAX_VERSIONS,
    Row,
    TextLimits,
)
from tracelith.model.schema import OPERATION, OPERATION_TEXT, OTHER, RESOURCE, RESOURCE_TEXT


def _operation(**texts: object) -> Row:
    return tuple((dict.fromkeys(OPERATION_TEXT.names(), "") | {"kind": 3} | texts).values())


def _resource(**texts: str) -> Row:
    return tuple((dict.fromkeys(RESOURCE_TEXT.names(), "") | {"service": "shop"} | texts).values())


def _admit_operations(given_limits: TextLimits, service: str, rows: Sequence[Row]) -> list[dict[str, object]]:
    """What the rows are stored as, each table row counted once."""
    stored: set[Row] = set()
    kept = []
    for row in rows:
        kept.append(given_limits.admit_operation(service, row, len(stored))[0])
        stored.add(kept[-1])
    return [dict(zip(OPERATION_TEXT.names(), row, strict=True)) for row in kept]


def _admit_resources(given_limits: TextLimits, rows: Sequence[Row]) -> list[dict[str, object]]:
    stored: set[Row] = set()
    kept = []
    for row in rows:
        kept.append(given_limits.admit_resource(row, len(stored))[0])
        stored.add(kept[-1])
    return [dict(zip(RESOURCE_TEXT.names(), row, strict=True)) for row in kept]


@pytest.mark.parametrize("column", ["peer_address", "peer_service", "peer_namespace", "peer_object", "consumer_group"])
def test_a_flood_in_one_column_is_folded_in_that_column_alone(column: str) -> None:
    flood = [_operation(name="GET", **{column: f"value {number}"}) for number in range(MAX_NAMES + 3)]

    kept = _admit_operations(TextLimits(), "shop", flood)

    assert [row[column] for row in kept[-4:]] == [f"value {MAX_NAMES - 1}", OTHER, OTHER, OTHER]
    assert {row["name"] for row in kept} == {"GET"}


@pytest.mark.parametrize("column", ["name", "http_route"])
def test_a_flood_of_names_or_routes_is_one_operation_named_other(column: str) -> None:
    flood = [_operation(**({"name": "GET"} | {column: f"value {number}"})) for number in range(MAX_NAMES + 2)]

    kept = _admit_operations(TextLimits(), "shop", flood)

    assert kept[-1]["name"] == OTHER
    assert kept[-1]["http_route"] == ""


def test_few_texts_in_each_of_many_columns_are_bounded_too() -> None:
    flood = [_operation(name=f"name {x % 400}", peer_address=f"address {x // 400}") for x in range(400 * 100)]

    kept = _admit_operations(TextLimits(), "shop", flood)

    assert len({tuple(row.values()) for row in kept}) <= 2 * MAX_ROWS + 100
    assert kept[0]["peer_address"] == "address 0"


def test_a_flood_leaves_room_for_services_that_come_later() -> None:
    given_limits = TextLimits()
    stored: set[Row] = set()
    for service in range(10):
        for number in range(4_000):
            row = _operation(name=f"{service} name {number % 900}", peer_address=f"address {number}")
            stored.add(given_limits.admit_operation(f"flood {service}", row, len(stored))[0])

    late = [given_limits.admit_operation("late", _operation(name=f"late {n}"), len(stored)) for n in range(500)]

    assert len(stored) < MAX_TABLE_ROWS
    assert [folded for _, folded in late] == [()] * 500


def test_a_version_or_an_instance_per_span_keeps_service_and_environment() -> None:
    versions = [_resource(environment="prod", version=f"1.{n}") for n in range(MAX_VERSIONS + 1)]
    instances = [_resource(environment="prod", version="1", instance=f"pod {n}") for n in range(MAX_ROWS + 1)]

    of_versions = _admit_resources(TextLimits(), versions)[-1]
    of_instances = _admit_resources(TextLimits(), instances)[-1]

    assert of_versions == dict(zip(RESOURCE_TEXT.names(), ("shop", "prod", OTHER, "", "", ""), strict=True))
    assert of_instances == dict(zip(RESOURCE_TEXT.names(), ("shop", "prod", "1", OTHER, "", ""), strict=True))


def test_a_flood_of_service_names_is_one_service_per_environment() -> None:
    flood = [_resource(service=f"service {n}", environment="prod", version="1") for n in range(MAX_SERVICES + 2)]

    given_limits = TextLimits()
    once, again = _admit_resources(given_limits, flood), _admit_resources(given_limits, flood)

    half = MAX_SERVICES // 2
    assert once[half - 1]["service"] == f"service {half - 1}"
    assert {tuple(row.values()) for row in once[half:]} == {(OTHER, "prod", "", "", "", "")}
    assert again[MAX_SERVICES - 1]["service"] == f"service {MAX_SERVICES - 1}"
    assert {tuple(row.values()) for row in again[MAX_SERVICES:]} == {(OTHER, "prod", "", "", "", "")}


def test_a_flood_of_services_each_in_an_environment_of_its_own_is_bounded_in_both() -> None:
    flood = [_resource(service=f"service {n}", environment=f"preview {n}") for n in range(MAX_SERVICES)]

    kept = _admit_resources(TextLimits(), flood * 2)

    assert len({row["environment"] for row in kept}) == MAX_ENVIRONMENTS + 1
    assert len({tuple(row.values()) for row in kept}) <= MAX_SERVICES + MAX_ENVIRONMENTS + 1


def test_invented_service_names_leave_room_for_services_that_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SERVICES", 10)
    interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
    sound = {"environment": "", "instance": "", "version": "", "address": "", "topic": "", "name": "do"}
    interner.intern(_batch([sound | {"service": f"invented {number}"} for number in range(1_000)]))

    first, second = (interner.intern(_batch([sound | {"service": "late"}])) for _ in range(2))

    assert first.resources.is_empty()
    assert second.resources["service"].to_list() == ["late"]


def test_trying_a_batch_again_after_a_failed_commit_costs_no_budget() -> None:
    given_limits = TextLimits()
    rows = [_operation(name=f"name {number}") for number in range(MAX_NAMES)]
    for _ in range(10):
        _admit_operations(given_limits, "shop", rows)

    again = [given_limits.admit_operation("shop", row, 0) for row in rows]

    assert again == [(row, ()) for row in rows]


# --- through the interner --------------------------------------------------------------------------------------------

_texts = st.sampled_from([f"t{number}" for number in range(12)])
_spans = st.fixed_dictionaries(
    {
        "service": _texts,
        "environment": _texts,
        "instance": _texts,
        "version": _texts,
        "name": _texts,
        "address": _texts,
        "topic": _texts,
    }
)
_Span = dict[str, str]


def _batch(spans: Sequence[_Span]) -> DescribedSpans:
    requests = [
        make_request(
            make_span(
                {"server.address": span["address"], "messaging.destination.name": span["topic"]},
                name=span["name"],
                kind=3,
            ),
            resource={
                "service.name": span["service"],
                "service.instance.id": span["instance"],
                "service.version": span["version"],
                "deployment.environment.name": span["environment"],
            },
        )
        for span in spans
    ]
    return describe(decode_requests(requests).raw)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_spans, min_size=1, max_size=12), min_size=1, max_size=6))
def test_whatever_comes_tables_stay_bounded_and_every_span_has_its_rows(batches: list[list[_Span]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MAX_SERVICES", 3)
        patch.setattr(limits, "MAX_ENVIRONMENTS", 2)
        patch.setattr(limits, "MAX_ROWS", 4)
        patch.setattr(limits, "MAX_TABLE_ROWS", 40)
        interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
        interned = [interner.intern(_batch(spans)) for spans in batches]

    resources = pl.concat([batch.resources for batch in interned])
    operations = pl.concat([batch.operations for batch in interned])
    assert resources.height == interner.resources == resources.drop("resource").n_unique()
    assert operations.height == interner.operations == operations.drop("operation").n_unique()
    assert resources["service"].n_unique() <= 3 + 1
    assert resources["environment"].n_unique() <= 2 + 1
    assert resources.height <= 3 * (2 * 4 + 3) + 3
    assert operations.height <= 40 + 10
    for batch, spans in zip(interned, batches, strict=True):
        assert batch.spans.height == len(spans)
        assert batch.spans["resource"].is_in(resources["resource"].implode()).all()
        assert batch.spans["operation"].is_in(operations["operation"].implode()).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(_spans, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_what_is_stored_gets_the_same_codes_after_a_restart_and_in_any_order(
    spans: list[_Span], random: object
) -> None:
    first = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
    before = first.intern(_batch(spans))
    shuffled = list(enumerate(spans))
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a random.Random typed as object

    after = Interner(before.resources, before.operations).intern(_batch([span for _, span in shuffled]))

    assert (after.resources.height, after.operations.height) == (0, 0)
    codes = before.spans.select("resource", "operation").rows()
    assert after.spans.select("resource", "operation").rows() == [codes[position] for position, _ in shuffled]


def test_folded_spans_are_counted_by_service_and_by_what_was_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SERVICES", 1)
    interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
    sound = {"service": "shop", "environment": "", "instance": "", "version": "1", "address": "db", "topic": ""}
    interner.intern(_batch([sound | {"name": f"name {number}"} for number in range(MAX_NAMES)]))

    for _ in range(2):
        interner.intern(
            _batch([sound | {"name": "one more"}, sound | {"name": "and more"}, sound | {"name": "name 1"}])
        )
    interner.intern(_batch([sound | {"service": "another", "name": "name 1"}]))

    assert interner.take_folded() == {("shop", "span names"): 4, (OTHER, "services"): 1}
    assert not interner.take_folded()


def test_spellings_of_a_flood_are_forgotten_and_the_codes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelith.ingest.intern.MAX_SPELLINGS", 5)
    interner = Interner(RESOURCE.to_frame(), OPERATION.to_frame())
    sound = {"service": "shop", "environment": "", "instance": "", "version": "", "name": "write", "address": ""}
    codes = set()
    for number in range(50):
        batch = interner.intern(_batch([sound | {"topic": f"orders_{number + 100_000}"}]))
        codes.add(batch.spans["operation"].item())

    assert codes == {0}
    assert interner.operations == 1
