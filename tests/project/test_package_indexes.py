"""The docstrings of large packages are an index: whoever opens one finds every module in it."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

INDEXED = (
    "tracelith.analysis.datastores",
    "tracelith.analysis.deployments",
    "tracelith.analysis.failures",
    "tracelith.analysis.layers",
    "tracelith.analysis.queues",
    "tracelith.analysis.scaling",
    "tracelith.analysis.statistics",
    "tracelith.analysis.structure",
    "tracelith.analysis.tail",
    "tracelith.evaluate",
    "tracelith.simulate",
    "tracelith.simulate.execution",
)


@pytest.mark.parametrize("name", INDEXED)
def test_the_docstring_of_a_package_names_each_of_its_modules_once(name: str) -> None:
    package = import_module(name)
    modules = {module.name for module in iter_modules([str(Path(str(package.__file__)).parent)])}

    index = str(package.__doc__).rstrip().rpartition("\n\n")[2]
    rows = re.findall(r"^(\w+(?:, \w+)*) +\S", index, re.MULTILINE)
    listed = [module for row in rows for module in row.split(", ")]

    assert sorted(listed) == sorted(modules)
