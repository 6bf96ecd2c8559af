"""Drag: what a span on the critical path can save at most."""

from traces import view_of


def drags(text: str) -> dict[str, float]:
    view = view_of(text)
    forest, drag = view.forest, view.path.drag_ns
    names = forest.operations["name"].to_list()
    return {names[forest.operation[span]]: float(drag[span]) / 1e6 for span in range(drag.size)}


def test_5_3_drag_oracle() -> None:
    told = drags("""
        s root  0..100ms
          s P  0..60ms
          s Q  0..90ms
    """)

    assert told == {"root": 10, "P": 0, "Q": 30}


def test_an_only_child_and_the_first_to_finish_can_save_all_their_own_time() -> None:
    told = drags("""
        s root  0..100ms
          s P  0..40ms
            s inner  10..30ms
          s Q  40..90ms
    """)

    assert told == {"root": 10, "P": 20, "inner": 20, "Q": 50}


def test_a_span_saves_no_more_than_the_spans_above_it_could() -> None:
    told = drags("""
        s root  0..100ms
          s P  0..60ms
          s Q  0..90ms
            s inner  5..90ms
              s inmost  10..90ms
    """)

    assert told == {"root": 10, "P": 0, "Q": 5, "inner": 5, "inmost": 30}


def test_of_two_that_finish_together_neither_saves_anything_alone() -> None:
    told = drags("""
        s root  0..100ms
          s P  0..90ms
          s Q  0..90ms
    """)

    assert told == {"root": 10, "P": 0, "Q": 0}
