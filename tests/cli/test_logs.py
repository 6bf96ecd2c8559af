"""Of equal warnings a few are written per minute, with a count of those that were not."""

import logging

from tracelith.cli.logs import INTERVAL_S, MAX_KINDS, WRITTEN_PER_INTERVAL, RepeatFilter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(
    message: str, *values: object, level: int = logging.WARNING, logger: str = "uvicorn.error"
) -> logging.LogRecord:
    return logging.LogRecord(logger, level, __file__, 1, message, values, None)


def test_a_flood_of_equal_warnings_is_a_few_lines_and_then_a_count() -> None:
    clock = Clock()
    repeats = RepeatFilter(clock)

    written = [repeats.filter(record("bad request from %s", number)) for number in range(1_000)]
    clock.now = INTERVAL_S
    next_one = record("bad request from %s", 1_000)

    assert sum(written) == WRITTEN_PER_INTERVAL
    assert repeats.filter(next_one)
    assert next_one.getMessage() == "bad request from 1000 (997 more like this were left out)"


def test_what_says_something_else_is_written() -> None:
    repeats = RepeatFilter(Clock())
    for _ in range(100):
        repeats.filter(record("bad request"))

    assert repeats.filter(record("commit failed", level=logging.ERROR))
    assert repeats.filter(record("bad request", logger="another"))


def test_information_is_written_as_it_comes() -> None:
    repeats = RepeatFilter(Clock())

    assert all(repeats.filter(record("analysed %d windows", 1, level=logging.INFO)) for _ in range(100))


def test_ever_new_texts_do_not_fill_memory() -> None:
    repeats = RepeatFilter(Clock())

    for number in range(3 * MAX_KINDS):
        assert repeats.filter(record(f"text {number}"))

    assert len(repeats._repeated) <= MAX_KINDS
