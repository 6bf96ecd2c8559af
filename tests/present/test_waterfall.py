"""A trace as rows."""

import dataclasses

import numpy as np
import pytest

from tracelith.present import waterfall as module
from tracelith.present.waterfall import waterfall
from traces import view_of
from website import login_trace


def test_rows_come_parents_first_and_siblings_by_start():
    rows = waterfall(login_trace()).rows

    assert [row.name for row in rows[:4]] == ["POST /login", "POST auth", "POST /sessions", "GET user"]
    assert rows[-1].name == "publish logins"
    assert [row.indent for row in rows[:4]] == [0, 1, 2, 3]


def test_waiting_times_add_up_to_the_length_of_the_trace():
    trace = waterfall(login_trace())

    assert trace.has_path
    assert sum(row.critical_ms for row in trace.rows) == pytest.approx(trace.length_ms) == pytest.approx(620)


def test_a_span_could_save_what_no_other_span_would_be_waited_for_instead() -> None:
    view = view_of("""
        shop SERVER GET /page 0..100ms
          shop CLIENT price 0..60ms
          shop CLIENT stock 0..90ms
          shop CLIENT log 90.5..91ms
        """)

    rows = {row.name: row for row in waterfall(view).rows}

    assert {name: row.critical_ms for name, row in rows.items()} == {
        "GET /page": 9.5,
        "price": 0,
        "stock": 90,
        "log": 0.5,
    }
    assert {name: row.saving_ms for name, row in rows.items()} == {
        "GET /page": 9.5,
        "price": 0,
        "stock": 30,
        "log": 0.5,
    }
    assert [name for name, row in rows.items() if row.worthwhile] == ["GET /page", "stock"]


def test_work_that_was_handed_over_is_not_what_the_request_waited_for() -> None:
    view = view_of("""
        shop SERVER POST /order 0..50ms
          shop PRODUCER mails 40..42ms mq=kafka object=mails
            mailer CONSUMER mails 60..100ms mq=kafka object=mails
        """)

    trace = waterfall(view)

    assert [row.handed_over for row in trace.rows] == [False, False, True]
    assert sum(row.critical_ms for row in trace.rows if not row.handed_over) == pytest.approx(50)
    assert trace.rows[-1].critical_ms == pytest.approx(40)


def test_bars_lie_on_the_axis_even_when_clocks_disagree():
    view = login_trace()
    skewed = view.forest.start_ns.copy()
    skewed[4] -= 3_600 * 10**9
    view = dataclasses.replace(view, forest=dataclasses.replace(view.forest, start_ns=skewed))

    for row in waterfall(view).rows:
        for piece in (row.bar, *row.critical):
            assert 0 <= piece.start < 1000
            assert piece.width > 0
            assert piece.start + piece.width <= 1000.01


def test_failures_and_roles_are_told_in_words():
    rows = waterfall(login_trace()).rows

    assert [row.outcome for row in rows].count("failed") == 1
    assert rows[0].role == "serves"
    assert rows[-1].role == "sends"


def test_a_huge_trace_is_cut_and_says_how_many_spans_it_has(monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 5)

    trace = waterfall(login_trace())

    assert len(trace.rows) == 5
    assert trace.spans == 12


def test_a_trace_without_spans_has_no_rows():
    view = login_trace()
    empty = dataclasses.replace(view.forest, trace=np.zeros(0, np.int32))

    assert waterfall(dataclasses.replace(view, forest=empty)).rows == ()
