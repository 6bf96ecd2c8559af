"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real-world inputs; a test that needs it is skipped, and says so, where it is absent."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI skips nothing, and the shared inputs are not at {SHARED_DATA}")
        pytest.skip(f"needs the shared real-world inputs at {SHARED_DATA}, which are not part of the project")
    return SHARED_DATA
