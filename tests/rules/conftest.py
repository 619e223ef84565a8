"""What the rules remember is forgotten before each test, so that a test sees what they do themselves."""

import pytest

from daemons.rules import global_macros, template, timeperiod

REMEMBERING = [
    member
    for module in (global_macros, template, timeperiod)
    for member in vars(module).values()
    if hasattr(member, "cache_clear")
]


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    for function in REMEMBERING:
        function.cache_clear()
