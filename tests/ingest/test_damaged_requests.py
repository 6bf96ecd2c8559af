"""Requests damaged at random: the same rows as the generated classes or both refuse, and the process goes on.

``TRACELITH_FUZZ_CASES=20000`` makes it a long run. Case numbers are seeds: a case that failed is run again by
``check(number, 1)``, or ``check_json(number, 1)``.
"""

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.damage_check import Outcome, check
from ingest.json_damage_check import check_json
from tracelith.ingest.otlp_json import decode_json_request

CASES = int(os.environ.get("TRACELITH_FUZZ_CASES", "400"))
CASES_AT_A_TIME = 200


def run(checked: Callable[[int, int], Outcome]) -> Counter[str]:
    """How many cases were what, after all of them."""
    # In a process of its own: a crash cannot be caught, but it breaks the pool, and the seeds are known.
    total: Counter[str] = Counter()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for first in range(0, CASES, CASES_AT_A_TIME):
            outcome = pool.submit(checked, first, min(CASES_AT_A_TIME, CASES - first)).result(300)
            total.update(outcome.cases)
            assert not outcome.problems, f"{len(outcome.problems)} of seeds {first}...: " + "\n".join(outcome.problems)
    print(dict(total))
    return total


def test_damaged_requests_give_the_rows_of_the_generated_classes_or_are_refused_by_both() -> None:
    total = run(check)

    assert total.total() == CASES
    assert {"taken", "taken in part", "refused"} <= set(total)


def test_damaged_json_gives_the_rows_of_protobufs_own_mapping_where_that_reads_it() -> None:
    total = run(check_json)

    assert total.total() == CASES
    assert {"taken", "taken in part", "refused"} <= set(total)


ENVELOPE = ["resourceSpans", "scopeSpans", "spans"]
KEYS = [*ENVELOPE, "traceId", "spanId", "kind", "attributes", "key", "value", "links", "status"]


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    )
)
def test_any_json_is_taken_or_refused_but_never_breaks_the_decoder(document: Any) -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]}).encode()

    decoded = decode_json_request(body)

    assert decoded.accepted + decoded.rejected == 1
