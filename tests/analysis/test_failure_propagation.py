"""Whether the failure of a callee fails its caller: what counts, and what must not."""

import pytest

from analysis.failing import FELLED, FINE, RETRIED, concluded, edge_of, failures_of
from tracelith.analysis.failure_propagation import ANALYSIS, without_evidence
from tracelith.analysis.failures.observing import observe_failures
from tracelith.analysis.outcomes import call_outcomes, failed_calls
from traces import view_of

TOLERATED = """
shop SERVER GET /page 0..90ms
  shop CLIENT GET /price 10..40ms !
    price SERVER GET /price 12..38ms !
"""
CANCELLED = """
shop SERVER GET /page 0..90ms !
  shop CLIENT GET /price 10..40ms !
    price SERVER GET /price 12..38ms cancelled
"""
NOT_FOUND = """
shop SERVER GET /page 0..90ms !
  shop CLIENT GET /price 10..40ms refused
    price SERVER GET /price 12..38ms refused
"""
GONE = """
shop SERVER GET /page 0..90ms !
  shop CLIENT GET /price 10..12ms ! peer=price:8080
"""
HANDED_OVER = """
shop SERVER GET /page 0..30ms !
  shop PRODUCER mails 10..11ms mq=kafka object=mails
    mailer CONSUMER mails 300..340ms ! mq=kafka object=mails
"""
LOST_STATEMENT = """
shop SERVER GET /page 0..90ms !
  shop CLIENT select 10..40ms ! db=postgresql namespace=shop object=orders
"""
STATEMENT = """
shop SERVER GET /page 0..90ms
  shop CLIENT select 10..40ms db=postgresql namespace=shop object=orders
"""


def test_a_caller_that_always_fails_with_its_callee_depends_on_it() -> None:
    failures = failures_of((FELLED, 30), (FINE, 300))

    edge = edge_of(failures, "shop", "price")
    assert (edge["callee_failures"], edge["dependency"], edge["power"]["value"]) == (30, "hard", 1.0)
    assert edge["failed_given_success"]["value"] == 0
    assert len(edge["trace_ids"]) == 3
    radius = next(one for one in failures["services"] if one["service"] == "price")
    assert radius["radius"]["value"] == 1
    assert radius["failing_with_it"] == ["shop"]


def test_a_caller_that_answers_without_its_callee_hides_the_failure() -> None:
    document = concluded((TOLERATED, 60), (FINE, 300))

    edge = edge_of(document["failures"], "shop", "price")
    entry = document["failures"]["entries"][0]
    assert (edge["dependency"], edge["power"]["value"]) == ("soft", 0.0)
    assert entry["availability"]["value"] == 1
    assert entry["hidden_errors"]["value"] == pytest.approx(60 / 360, abs=1e-5)
    finding = next(one for one in document["findings"] if one["rule"] == "hidden-errors")
    assert (finding["subjects"], finding["severity"]) == (["shop GET /page"], "info")
    assert len(finding["evidence"]["trace_ids"]) == 3


def test_part_of_the_failures_makes_a_partial_dependency() -> None:
    edge = edge_of(failures_of((FELLED, 30), (TOLERATED, 30), (FINE, 300)), "shop", "price")

    assert edge["dependency"] == "partial"
    assert edge["power"]["value"] == pytest.approx(0.5)


def test_too_few_failures_say_nothing() -> None:
    edge = edge_of(failures_of((FELLED, 9), (FINE, 300)), "shop", "price")

    assert (edge["dependency"], edge["status"], edge["power"]["value"]) == ("unknown", "insufficient_data", None)
    assert "10 requests" in edge["reason"]


def test_9_1_a_cancelled_callee_is_not_accused_of_failing_its_caller() -> None:
    """Pitfall 9: the caller went away first; that is not the callee's failure, and no evidence against it."""
    failures = failures_of((CANCELLED, 40), (FINE, 300))

    assert failures["edges"] == []
    assert failures["cascades"] == []


def test_requests_at_fault_are_no_failures_of_the_callee() -> None:
    assert failures_of((NOT_FOUND, 40), (FINE, 300))["edges"] == []


def test_a_call_that_succeeded_when_tried_again_did_not_fail_but_hid_a_failure() -> None:
    failures = failures_of((RETRIED, 40), (FINE, 300))

    assert failures["edges"] == []
    assert failures["entries"][0]["hidden_errors"]["value"] == pytest.approx(40 / 340, abs=1e-5)
    assert failures["retries"][0]["amplification"]["value"] == pytest.approx(380 / 340, abs=1e-5)


def test_a_service_that_refuses_connections_is_known_by_its_callers() -> None:
    failures = failures_of((GONE, 30), (FINE, 300))

    edge = edge_of(failures, "shop", "price")
    assert (edge["callee_kind"], edge["dependency"]) == ("service", "hard")


def test_a_message_that_fails_later_is_not_accused_of_failing_who_sent_it() -> None:
    assert failures_of((HANDED_OVER, 40), (FINE, 300))["edges"] == []


def test_failing_statements_fail_their_service() -> None:
    edge = edge_of(failures_of((LOST_STATEMENT, 20), (STATEMENT, 200)), "shop", "postgresql shop")

    assert (edge["callee_kind"], edge["dependency"]) == ("datastore", "hard")


def test_of_callees_that_only_fail_together_neither_is_accused() -> None:
    both = """
    shop SERVER GET /page 0..90ms !
      shop CLIENT GET /price 10..40ms !
        price SERVER GET /price 12..38ms !
      shop CLIENT GET /stock 50..80ms !
        stock SERVER GET /stock 52..78ms !
    """
    fine = """
    shop SERVER GET /page 0..90ms
      shop CLIENT GET /price 10..40ms
        price SERVER GET /price 12..38ms
      shop CLIENT GET /stock 50..80ms
        stock SERVER GET /stock 52..78ms
    """
    failures = failures_of((both, 40), (fine, 300))

    assert [edge["status"] for edge in failures["edges"]] == ["not_identifiable", "not_identifiable"]
    assert [edge["dependency"] for edge in failures["edges"]] == ["unknown", "unknown"]


def test_20_powers_are_not_told_when_a_sampler_seems_to_keep_failed_traces_first() -> None:
    """Pitfall 10: kept traces of unknown probability, half of which failed."""
    unknown = [text.replace("90ms", "90ms weight=?", 1) for text in (FELLED, FINE)]

    edge = edge_of(failures_of((unknown[0], 150), (unknown[1], 150)), "shop", "price")

    assert (edge["status"], edge["dependency"]) == ("not_identifiable", "unknown")
    assert "sampler" in edge["reason"]


def test_known_weights_undo_what_a_sampler_kept() -> None:
    kept = FINE.replace("90ms", "90ms weight=20", 1)
    broken = FINE.replace("90ms", "90ms !", 1)

    edge = edge_of(failures_of((FELLED, 50), (broken, 20), (kept, 150)), "shop", "price")

    assert edge["failed_given_success"]["value"] == pytest.approx(20 / (20 + 20 * 150), abs=1e-5)


def test_a_health_check_that_fails_is_nobodys_dependency() -> None:
    check = """
    price SERVER GET /health 0..2ms !
    """
    failures = failures_of((check, 50), (FINE, 300))

    assert failures["edges"] == []
    assert failures["cascades"] == []


def test_hard_dependencies_make_the_chain_as_available_as_all_of_them() -> None:
    felled = """
    shop SERVER GET /page 0..90ms !
      shop CLIENT GET /price 10..60ms !
        price SERVER GET /price 12..58ms !
          price CLIENT GET /tax 20..50ms !
            tax SERVER GET /tax 22..48ms !
              tax CLIENT GET /rates 25..45ms !
                rates SERVER GET /rates 26..44ms !
    """
    document = concluded((felled, 40), (felled.replace(" !", ""), 360))

    entry = document["failures"]["entries"][0]
    assert entry["hard_dependencies"] == ["price", "tax", "rates"]
    assert entry["serial_availability"] == pytest.approx(0.9)
    chain = next(one for one in document["findings"] if one["rule"] == "hard-dependency-chain")
    assert chain["subjects"] == ["shop GET /page", "price", "tax", "rates"]
    assert chain["severity"] == "info"
    assert len(chain["evidence"]["trace_ids"]) == 3


def test_without_data_the_part_says_so() -> None:
    alone = """
    mailer CONSUMER mails 0..40ms mq=kafka object=mails
    """

    assert failures_of((alone, 3))["entries"] == []
    assert without_evidence("nothing came")["failures"]["reason"] == "nothing came"


def test_outcomes_of_attempts() -> None:
    view = view_of("\n---\n".join(text.strip("\n") for text in (FELLED, CANCELLED, RETRIED, GONE)))

    outcomes = call_outcomes(view)

    assert outcomes.failed.tolist() == [True, True, True, False, True]
    assert outcomes.cancelled.tolist() == [False, True, False, False, False]
    assert failed_calls(view).tolist() == [True, False, False, False, True]


@pytest.mark.parametrize(
    "text",
    [
        "shop SERVER GET /x 0..5ms",
        "shop SERVER GET /x 0..5ms !",
        "shop SERVER GET /x 0..5ms orphan",
        "shop SERVER GET /x 0..5ms\n  shop PRODUCER m 1..2ms mq=kafka object=m",
    ],
)
def test_views_without_awaited_calls_have_facts_of_the_same_form(text: str) -> None:
    facts = observe_failures(view_of(text))

    assert {table.name: facts[table.name].schema for table in ANALYSIS.fact_tables} == {
        table.name: table.schema for table in ANALYSIS.fact_tables
    }
    assert len(facts["failed_edges"]) == 0
