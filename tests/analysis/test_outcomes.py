"""What became of a call is what its own two sides say."""

from tracelith.analysis.outcomes import call_outcomes
from traces import view_of


def test_a_call_without_an_answer_is_judged_by_its_client_alone_wherever_others_fail() -> None:
    view = view_of("""
        shop  SERVER checkout  0..90ms error
          shop  CLIENT get       10..20ms db=postgresql namespace=carts
          shop  INTERNAL render  30..80ms error
    """)

    told = call_outcomes(view)

    assert told.failed.tolist() == [False]
    assert told.cancelled.tolist() == [False]
