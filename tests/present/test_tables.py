"""Tables of ready text: every row has a cell for every heading, and examples belong to rows."""

import pytest

from tracelith.present.chart import Table


def test_a_row_with_another_number_of_cells_than_headings_is_refused() -> None:
    with pytest.raises(ValueError, match="2 headings, but 1 cells"):
        Table.of(["Service", "#Calls"], [("a", "1"), ("b",)])


def test_examples_for_another_number_of_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows, but examples for 1"):
        Table.of(["Service"], [("a",), ("b",)], [("trace",)])


def test_examples_are_one_more_column_where_any_row_has_one() -> None:
    table = Table.of(["#Calls"], [("1",), ("2",)], [("trace", "another"), ()])

    assert [column.title for column in table.with_examples().columns] == ["Calls", "Example trace"]
    assert table.with_examples().rows == (("1", "trace"), ("2", "–"))
    assert Table.of(["#Calls"], [("1",)], [()]).with_examples().rows == (("1",),)
