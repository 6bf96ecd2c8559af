"""All analyses of this package: each module that defines ANALYSIS, found without a list to keep."""

import importlib
import pkgutil
from functools import cache

import tracelith.analysis as package
from tracelith.analysis.base import Analysis

__all__ = ["registered_analyses"]

_FIRST = ("data_quality", "synchronous_depth", "tail_latency", "codeployment", "calls")
"""The order in which people read the answers; others follow by name."""


@cache
def registered_analyses() -> tuple[Analysis, ...]:
    """Every analysis, data quality and the headline answers first.

    Raises:
        ValueError: two analyses produce the same fact table.
    """
    modules = (importlib.import_module(f"{package.__name__}.{found.name}") for found in _modules())
    analyses = [module.ANALYSIS for module in modules if isinstance(getattr(module, "ANALYSIS", None), Analysis)]
    tables = [table.name for analysis in analyses for table in analysis.fact_tables]
    if repeated := sorted({name for name in tables if tables.count(name) > 1}):
        raise ValueError(f"several analyses produce the fact table(s) {', '.join(repeated)}")
    return tuple(sorted(analyses, key=_place))


def _modules() -> list[pkgutil.ModuleInfo]:
    return sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name)


def _place(analysis: Analysis) -> tuple[int, str]:
    position = _FIRST.index(analysis.name) if analysis.name in _FIRST else len(_FIRST)
    return position, analysis.name
