"""In CI as root nothing may skip: a test that does not run protects nothing."""

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run over a skipped test, where the machine should have everything."""
    if not os.environ.get("SHINKEN_CI") or os.geteuid() != 0 or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} tests skipped: in CI as root none may", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
