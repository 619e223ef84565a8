"""The three import names are ours, not those of other distributions on PyPI (docs/decisions/0001)."""

from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["console", "daemons", "retention"])
def test_each_package_is_the_folder_of_this_checkout(name):
    module = import_module(name)

    assert Path(module.__file__).resolve().parent == HERE / name
    assert set(packages_distributions().get(name, ["shinken-ha"])) == {"shinken-ha"}
