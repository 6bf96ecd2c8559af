"""Requests damaged at random: the same rows as the generated classes or both refuse, and the process goes on.

``TRACELITH_FUZZ_CASES=20000`` makes it a long run. Case numbers are seeds: a case that failed is run again by
``check(number, 1)``.
"""

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from ingest.damage_check import check

CASES = int(os.environ.get("TRACELITH_FUZZ_CASES", "400"))
CASES_AT_A_TIME = 200


def test_damaged_requests_give_the_rows_of_the_generated_classes_or_are_refused_by_both() -> None:
    # In a process of its own: a crash cannot be caught, but it breaks the pool, and the seeds are known.
    total: Counter[str] = Counter()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for first in range(0, CASES, CASES_AT_A_TIME):
            outcome = pool.submit(check, first, min(CASES_AT_A_TIME, CASES - first)).result(300)
            total.update(outcome.cases)
            assert not outcome.problems, f"{len(outcome.problems)} of seeds {first}...: " + "\n".join(outcome.problems)
    print(dict(total))

    assert total.total() == CASES
    assert {"taken", "taken in part", "refused"} <= set(total)
