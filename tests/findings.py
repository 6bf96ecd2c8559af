"""A document in which one rule has much to say."""

from copy import deepcopy

from documents import login_document
from tracelith.model.document import AnalysisDocument

__all__ = ["repeating_document"]


def repeating_document(times: int) -> AnalysisDocument:
    """The login system, with its first finding made of so many other requests, too: Login 1, Login 2, ..."""
    document = login_document()
    first = document["findings"][0]
    document["findings"] = [deepcopy(first) for _ in range(times)]
    for number, finding in enumerate(document["findings"], 1):
        finding |= {"id": f"f{number}", "title": f"Login {number} waits."}
    return document
