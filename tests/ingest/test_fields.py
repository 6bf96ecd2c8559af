"""Attributes as codes."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelith.ingest.fields import FieldTable, distinct_rows, encode_text
from tracelith.model.schema import ATTRIBUTE
from tracelith.model.semantic_conventions import KNOWN_KEYS

NEW, OLD, SIZE, TONE, UNUSED, UNKNOWN, *_ = KNOWN_KEYS
TABLE = FieldTable({"color": (NEW, OLD), "size": (SIZE,), "tone": (TONE, UNUSED, OLD)})


def _read(*rows: tuple[int, str, str], count: int = 2) -> dict[str, list[str]]:
    fields = TABLE.read(pl.DataFrame(list(rows), schema=ATTRIBUTE, orient="row"), count)
    return {name: fields.texts(name, np.arange(count)).to_pylist() for name in fields.names}


def test_the_newest_key_wins_wherever_it_stands() -> None:
    read = _read((0, NEW, "red"), (0, OLD, "rouge"), (1, OLD, "grün"), (1, NEW, "green"))

    assert read["color"] == ["red", "green"]


def test_an_empty_value_counts_as_absent() -> None:
    read = _read((0, NEW, ""), (0, OLD, "red"), (1, SIZE, ""))

    assert read["color"] == ["red", ""]
    assert read["size"] == ["", ""]


def test_one_key_may_serve_two_fields_with_different_preference() -> None:
    read = _read((0, OLD, "red"), (1, OLD, "blue"), (1, TONE, "dark"))

    assert (read["color"], read["tone"]) == (["red", "blue"], ["red", "dark"])


def test_unknown_keys_and_no_attributes_at_all_are_nothing() -> None:
    assert _read((0, UNKNOWN, "y")) == _read() == {"color": ["", ""], "size": ["", ""], "tone": ["", ""]}


def test_two_fields_may_not_want_one_key_equally() -> None:
    with pytest.raises(ValueError, match=NEW):
        FieldTable({"color": (NEW,), "size": (NEW,)})


def test_numbers_are_read_where_there_are_some() -> None:
    fields = TABLE.read(pl.DataFrame([(0, SIZE, "12"), (1, SIZE, "x")], schema=ATTRIBUTE, orient="row"), 3)

    assert fields.numbers("size").tolist() == [12, -1, -1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=20))
def test_encoded_text_reads_back(texts: list[str | None]) -> None:
    codes, values = encode_text(pl.Series(texts, dtype=pl.String))

    assert [values[code].as_py() for code in codes.tolist()] == [text or "" for text in texts]
    assert [code == 0 for code in codes.tolist()] == [not text for text in texts]


_codes = st.sampled_from([0, 1, 2, 2**31 - 1])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6).flatmap(lambda width: st.lists(st.lists(_codes, min_size=width, max_size=width), max_size=12)))
def test_distinct_rows_are_exact_even_where_their_product_exceeds_64_bits(rows: list[list[int]]) -> None:
    width = len(rows[0]) if rows else 1
    columns = [np.array([row[at] for row in rows], np.int32) for at in range(width)]

    first, combination = distinct_rows(columns)

    assert [rows[first[number]] for number in combination.tolist()] == rows
    assert len(first) == len({tuple(row) for row in rows})
    assert first.tolist() == sorted(first.tolist())
