"""In CI as root nothing may skip: a test that does not run protects nothing. Live tests stay in one worker."""

import os
from typing import Any

import hypothesis
import pytest

RECORDED = "golden data"  # in the reason of a test that replays recordings, which are not part of the project

# How long one example takes says more about the machine than about the code.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run over a skipped test, where the machine should have everything."""
    if not os.environ.get("SHINKEN_CI") or os.geteuid() != 0 or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [r for r in reporter.stats.get("skipped", []) if RECORDED not in str(r.longrepr)] if reporter else []
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} tests skipped: in CI as root none may", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what shares tests out: those that start daemons measure times, so one at a time.

    (`--dist loadgroup` of xdist 3.8 does nothing under pytest 9.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class LiveTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/live" if nodeid.startswith(("tests/live/", "tests/cluster/")) else nodeid

    return LiveTogether(config, log)
