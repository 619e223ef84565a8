"""docs/external-commands.md says what the table says."""

import pytest

from daemons.rules.command_table import COMMANDS
from tools.external_commands import PAGE, current, tables


def test_the_page_is_current():
    page = PAGE.read_text()
    if current(page) != page:
        pytest.fail("docs/external-commands.md is older than the table: python -m tools.external_commands")


def test_every_command_is_on_the_page_once():
    rows = [line for line in tables().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(COMMANDS)


def test_a_row_names_arguments_and_what_may_be_left_out():
    assert "| `DEL_DOWNTIME_BY_HOST_NAME` | `host;[description];[time];[text]` |" in tables()
    assert "| `ADD_SVC_COMMENT` | `service" not in tables()
    assert "| `RELOAD_CONFIG` |  | " in tables()
