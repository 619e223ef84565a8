"""docs/protocol.md says what the code says."""

import pytest

from tests.wire.strategies import MESSAGES
from tools.protocol import PAGE, current, tables


def test_the_page_is_current():
    page = PAGE.read_text()
    if current(page) != page:
        pytest.fail("docs/protocol.md is older than daemons/wire: python -m tools.protocol")


def test_every_message_is_on_the_page():
    text = tables()
    assert [kind.__name__ for kind in MESSAGES if f"**`{kind.__name__}`**" not in text] == []


def test_a_field_stands_with_its_place_type_default_and_comment():
    assert (
        "| 4 | phase | `str` |" not in tables()
        and '| 3 | phase | `str` |  | "standby" (body and copy kept), "claiming", "loading", "active" |'
        in tables()
    )
    assert (
        "| 5 | wants | `tuple[Want, ...]` | `()` | leases it wants or holds; one left out is released |"
        in tables()
    )
