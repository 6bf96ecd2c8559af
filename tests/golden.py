"""Golden files: what people read, kept beside the tests so that a change of it is seen in review.

``UPDATE_GOLDEN=1 pytest tests/...`` writes them anew.
"""

import os
from pathlib import Path

__all__ = ["assert_golden"]


def assert_golden(file: Path, text: str) -> None:
    """The text is what the file holds."""
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{file.name} differs; UPDATE_GOLDEN=1 writes it anew"
