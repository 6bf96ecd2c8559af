"""Times on the command line."""

from datetime import UTC, datetime

import pytest

from tracelith.cli.options import parse_time_ns
from tracelith.model.errors import InputError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T10:30", datetime(2026, 11, 20, 10, 30, tzinfo=UTC)),
        ("2026-11-20T10:30+02:00", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("12h", datetime(2026, 11, 21, 0, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 14, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 7, 12, tzinfo=UTC)),
    ],
)
def test_iso_times_are_utc_and_ages_count_back_from_now(text: str, expected: datetime) -> None:
    assert parse_time_ns(text, option="--since", now=NOW) == int(expected.timestamp()) * 1_000_000_000


def test_anything_else_is_an_error_that_names_the_option() -> None:
    with pytest.raises(InputError, match="--since: 'yesterday'"):
        parse_time_ns("yesterday", option="--since")
