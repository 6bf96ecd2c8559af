"""One module per topic, each with a ``SECTION``; found without a list to keep, shown in the order below."""

import importlib
import pkgutil
from functools import cache

from tracelith.model.document import AnalysisDocument
from tracelith.present import text
from tracelith.present.section import Section, SectionKind

__all__ = ["described", "sections"]

_ORDER = ("data", "failures", "queues", "layers", "scaling", "chatter", "structure", "coupling")
"""The independences of a service first, then what calls look like; others follow by name."""


@cache
def sections() -> tuple[SectionKind, ...]:
    """Every topic that has a section."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    kinds = [module.SECTION for module in modules if isinstance(getattr(module, "SECTION", None), SectionKind)]
    return tuple(sorted(kinds, key=_place))


def described(document: AnalysisDocument) -> list[tuple[SectionKind, Section]]:
    """What every topic says about a document."""
    period = text.period(document["window"])
    return [(kind, kind.describe(document, period)) for kind in sections()]


def _place(kind: SectionKind) -> tuple[int, str]:
    return (_ORDER.index(kind.topic) if kind.topic in _ORDER else len(_ORDER)), kind.topic
