"""Drawings in table cells: right places, no text, no colour that judges what was not measured."""

from xml.etree import ElementTree as Tree

from hypothesis import given
from hypothesis import strategies as st

from tracelith.present.svg import HEIGHT, WIDTH, axis_of, hop_bars, interval_bar, tick_strip

finite = st.floats(-1e6, 1e6, allow_nan=False)
rows = st.lists(st.tuples(finite, finite, finite).map(sorted), min_size=1, max_size=8)


def shapes(drawing: str, kind: str) -> list[dict[str, str]]:
    return [shape.attrib for shape in Tree.fromstring(drawing) if shape.get("class") == kind]  # noqa: S314 - our own


def test_a_bar_reaches_from_zero_to_the_value_and_the_whisker_over_the_interval() -> None:
    drawing = interval_bar(0.5, [0.25, 0.75], (0.0, 1.0))

    (bar,) = shapes(drawing, "bar")
    whisker = shapes(drawing, "whisker")[0]
    assert (bar["x"], bar["width"]) == ("0", "500")
    assert (whisker["x1"], whisker["x2"]) == ("250", "750")


def test_a_negative_value_points_to_the_left_of_zero() -> None:
    (bar,) = shapes(interval_bar(-0.5, None, (-1.0, 1.0)), "bar")

    assert (bar["x"], bar["width"]) == ("250", "250")


@given(rows)
def test_everything_fits_on_the_axis_and_zero_is_on_it(values: list[list[float]]) -> None:
    pairs = [(middle, (low, high)) for low, middle, high in values]

    axis = axis_of(pairs)

    assert axis[0] <= 0 <= axis[1]
    assert axis[0] < axis[1]
    for value, ci in pairs:
        for line in shapes(interval_bar(value, ci, axis), "whisker"):
            assert -0.1 <= float(line["x1"]) <= float(line["x2"]) + 0.1 <= WIDTH + 0.2


def test_columns_are_as_high_as_their_share_and_coloured_by_depth() -> None:
    drawing = hop_bars([{"hops": 1, "share": 0.25}, {"hops": 4, "share": 0.5}, {"hops": 6, "share": 0.25}])

    heights = {kind: [float(bar["height"]) for bar in shapes(drawing, kind)] for kind in ("shallow", "deep", "deepest")}
    assert heights == {"shallow": [HEIGHT / 4], "deep": [HEIGHT / 2], "deepest": [HEIGHT / 4]}


def test_a_rare_depth_is_still_seen() -> None:
    (rare,) = shapes(hop_bars([{"hops": 0, "share": 0.9999}, {"hops": 7, "share": 0.0001}]), "deepest")

    assert float(rare["height"]) >= 1


def test_what_was_not_measured_is_coloured_neither_good_nor_bad() -> None:
    drawing = hop_bars([{"hops": 1, "share": 0.5}, {"hops": 6, "share": 0.5}], measured=False)

    assert len(shapes(drawing, "unsure")) == 2
    assert not [*shapes(drawing, "shallow"), *shapes(drawing, "deepest")]


def test_ticks_stand_at_their_moments_over_the_grid() -> None:
    drawing = tick_strip([0.25, 0.5], [0.0, 1.0], "together")

    assert [line["x1"] for line in shapes(drawing, "together")] == ["250", "500"]
    assert [line["x1"] for line in shapes(drawing, "grid")] == ["0", "1000"]
