"""Dependencies: which states count, chains, periods, loops."""

import pytest

from daemons.model.clock import Wall
from daemons.model.objects import TimePeriod
from daemons.model.relations import Dependency
from daemons.model.status import HARD, SOFT, Status
from daemons.rules.depend import EXECUTION, NOTIFICATION, asked_first, failing, letter
from daemons.rules.timeperiod import ALWAYS, compile_period

NOW = Wall(1_800_000_000.0)
NEVER = compile_period(TimePeriod("never"), {}, "UTC")


def seen(state=0, state_type=HARD, last_hard_state=0, checked=True):
    return Status(
        key="", state=state, state_type=state_type, last_hard_state=last_hard_state, checked=checked
    )


@pytest.mark.parametrize(
    ("state", "is_host", "expected"),
    [
        (0, False, "o"), (1, False, "w"), (2, False, "c"), (3, False, "u"), (4, False, "u"),
        (0, True, "o"), (1, True, "d"), (2, True, "u"), (3, True, "u"), (-1, True, "u"),
    ],
)  # fmt: skip
def test_each_state_has_its_letter(state, is_host, expected):
    assert letter(seen(state), is_host=is_host, soft=False) == expected


def test_what_was_never_checked_is_pending_whatever_state_is_assumed():
    assert letter(seen(2, checked=False), is_host=False, soft=True) == "p"


def test_a_soft_state_counts_only_when_the_main_file_says_so():
    soft = seen(2, SOFT, last_hard_state=1)
    assert letter(soft, is_host=False, soft=False) == "w"
    assert letter(soft, is_host=False, soft=True) == "c"
    assert letter(seen(2, HARD, last_hard_state=1), is_host=False, soft=False) == "c"


def fails(dependencies, statuses, what=NOTIFICATION, key="a;s", soft=False, period=ALWAYS):
    by_dependent = {}
    for dependency in dependencies:
        by_dependent.setdefault(dependency.dependent, []).append(dependency)
    table = {dependent: tuple(found) for dependent, found in by_dependent.items()}
    return failing(key, what, table, statuses.get, lambda name: period, NOW, soft=soft)


NOTIFY = Dependency(dependent="a;s", on="a;m", notification=("c", "u"))


def test_a_dependency_fails_in_the_states_it_names():
    assert fails([NOTIFY], {"a;m": seen(2)}) is NOTIFY
    assert fails([NOTIFY], {"a;m": seen(3)}) is NOTIFY
    assert fails([NOTIFY], {"a;m": seen(1)}) is None
    assert fails([NOTIFY], {"a;m": seen(0)}) is None


def test_u_of_a_host_is_unreachable_and_of_a_service_unknown():
    on_host = Dependency(dependent="b", on="a", notification=("u",))
    assert fails([on_host], {"a": seen(2)}, key="b") is on_host
    assert fails([on_host], {"a": seen(1)}, key="b") is None


def test_execution_and_notification_are_apart():
    execution = Dependency(dependent="a;s", on="a;m", execution=("c",))
    assert fails([execution], {"a;m": seen(2)}) is None
    assert fails([execution], {"a;m": seen(2)}, EXECUTION) is execution
    assert fails([NOTIFY], {"a;m": seen(2)}, EXECUTION) is None


def test_n_means_never():
    none = Dependency(dependent="a;s", on="a;m", notification=("n", "c"))
    assert fails([none], {"a;m": seen(2)}) is None


def test_pending_fails_only_where_p_is_named():
    pending = seen(checked=False)
    assert fails([NOTIFY], {"a;m": pending}) is None
    on = Dependency(dependent="a;s", on="a;m", notification=("o",))
    assert fails([on], {"a;m": pending}) is None
    on = Dependency(dependent="a;s", on="a;m", notification=("p",))
    assert fails([on], {"a;m": pending}) is on


def test_outside_its_period_a_dependency_does_not_count():
    timed = Dependency(dependent="a;s", on="a;m", notification=("c",), period="night")
    assert fails([timed], {"a;m": seen(2)}) is timed
    assert fails([timed], {"a;m": seen(2)}, period=NEVER) is None
    assert fails([NOTIFY], {"a;m": seen(2)}, period=NEVER) is NOTIFY


def test_what_is_not_here_forbids_nothing_and_hides_no_other():
    other = Dependency(dependent="a;s", on="a;n", notification=("c",))
    assert fails([NOTIFY, other], {"a;n": seen(2)}) is other


def test_without_criteria_for_it_a_chain_is_not_followed():
    first = Dependency(dependent="a;s", on="a;m", execution=("c",), inherits_parent=True)
    above = Dependency(dependent="a;m", on="a;top", notification=("c",))
    assert fails([first, above], {"a;m": seen(0), "a;top": seen(2)}) is None


@pytest.mark.parametrize("inherits", [True, False])
def test_inherits_parent_takes_in_what_is_above(inherits):
    first = Dependency(dependent="a;s", on="a;m", notification=("c",), inherits_parent=inherits)
    second = Dependency(dependent="a;m", on="a;n", notification=("c",), inherits_parent=True)
    third = Dependency(dependent="a;n", on="a;top", notification=("w",))
    statuses = {"a;m": seen(0), "a;n": seen(0), "a;top": seen(1)}
    found = fails([first, second, third], statuses)
    assert found is (third if inherits else None)


def test_after_a_chain_that_holds_the_next_dependency_is_asked():
    first = Dependency(dependent="a;s", on="a;m", notification=("c",), inherits_parent=True)
    second = Dependency(dependent="a;s", on="a;x", notification=("c",))
    assert fails([first, second], {"a;m": seen(0), "a;x": seen(2)}) is second


def test_a_loop_ends():
    there = Dependency(dependent="a;s", on="a;m", notification=("c",), inherits_parent=True)
    back = Dependency(dependent="a;m", on="a;s", notification=("c",), inherits_parent=True)
    assert fails([there, back], {"a;m": seen(0), "a;s": seen(0)}) is None
    assert fails([there, back], {"a;m": seen(0), "a;s": seen(2)}) is back


def test_what_is_asked_first_is_asked_once():
    table = {"a;s": (NOTIFY, Dependency(dependent="a;s", on="h"), NOTIFY)}
    assert asked_first("a;s", table) == ("a;m", "h")
    assert asked_first("a;m", table) == ()


def test_one_without_criteria_or_outside_its_period_hides_no_other():
    free = Dependency(dependent="a;s", on="a;x", execution=("c",))
    timed = Dependency(dependent="a;s", on="a;x", notification=("c",), period="night")
    statuses = {"a;m": seen(2), "a;x": seen(2)}

    assert fails([free, NOTIFY], statuses) is NOTIFY
    assert fails([timed, NOTIFY], statuses, period=NEVER) is NOTIFY


def test_a_chain_asks_upwards_what_was_asked_below():
    up = Dependency(
        dependent="a;s", on="a;m", execution=("c",), notification=("c",), inherits_parent=True
    )
    timed = Dependency(
        dependent="a;m", on="a;top", execution=("c",), notification=("w",), period="night"
    )
    soft = {"a;m": seen(0), "a;top": seen(2, SOFT, 0)}

    assert fails([up, timed], {"a;m": seen(0), "a;top": seen(2)}, EXECUTION) is timed
    assert fails([up, timed], {"a;m": seen(0), "a;top": seen(2)}) is None
    assert fails([up, timed], {"a;m": seen(0), "a;top": seen(2)}, EXECUTION, period=NEVER) is None
    assert fails([up, timed], soft, EXECUTION, soft=True) is timed
    assert fails([up, timed], soft, EXECUTION) is None
    asked = []
    failing("a;s", EXECUTION, {"a;s": (up,), "a;m": (timed,)}, {"a;m": seen(0), "a;top": seen(2)}.get,
            lambda name: asked.append(name) or ALWAYS, NOW, soft=False)  # fmt: skip
    assert asked == ["night"]


def test_a_loop_above_ends_too():
    def one(dependent, on):
        return Dependency(dependent=dependent, on=on, notification=("c",), inherits_parent=True)

    loop = [one("a;s", "a;m"), one("a;m", "a;n"), one("a;n", "a;m")]
    assert fails(loop, {"a;m": seen(0), "a;n": seen(0)}) is None
