"""The document as claims read it: its findings by rule, and its estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracelith.evaluate.claims import Claim
from tracelith.model.findings import Severity

__all__ = ["Reading", "estimate"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A document and what it tells people."""

    document: Mapping[str, Any]

    @property
    def accused(self) -> list[Mapping[str, Any]]:
        """Findings that accuse somebody; others are worth knowing."""
        return [one for one in self.document["findings"] if Severity(one["severity"]).rank >= Severity.WARNING.rank]

    def rows(self, part: str, key: str) -> Sequence[Mapping[str, Any]]:
        """A list of a part; empty where the document is of a version that does not know the part."""
        found: Sequence[Mapping[str, Any]] = self.document.get(part, {}).get(key, ())
        return found

    def told(self, *rules: str) -> list[Sequence[str]]:
        """Subjects of the findings of these rules, of any severity."""
        return [one["subjects"] for one in self.document["findings"] if one["rule"] in rules]


def estimate(detector: str, subject: str, number: Mapping[str, Any]) -> Claim:
    """A claim from an EstimateDocument; without a number, an abstention."""
    low, high = number["ci"] or (None, None)
    return Claim(detector, subject, estimate=number["value"], low=low, high=high)
