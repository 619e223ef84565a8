"""Beds for the tests of this folder. They measure, so they run in one worker, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.bed import Bed, lacking

HERE = Path(__file__).parent
PURE = ("test_judge.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what makes namespaces; where that cannot be, skip it and say why."""
    mine = [i for i in items if HERE in i.path.parents and i.path.name not in PURE]
    why = lacking() if mine else ""
    for item in mine:
        item.add_marker(pytest.mark.cluster)
        if why:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    """Three servers and nothing on them."""
    with Bed(tmp_path, 3) as made:
        yield made
