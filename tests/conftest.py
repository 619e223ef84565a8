"""How the tests are shared out: those that start daemons stay in one worker, as they measure times."""

from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what shares tests out. (`--dist loadgroup` of xdist 3.8 does nothing under pytest 9.)"""
    from xdist.scheduler import LoadScopeScheduling

    class LiveTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/live" if nodeid.startswith("tests/live/") else nodeid

    return LiveTogether(config, log)
