"""`service_move` and `host_move` are asked with tables and with anything at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.model.check import CODE_NOT_STARTED, CODE_SIGNALLED, CODE_TIMEOUT
from daemons.rules import state
from daemons.rules.state import Move, host_move, logged, service_move

OK, WARNING, CRITICAL, UNKNOWN = range(4)
UP, DOWN, UNREACHABLE = range(3)
SOFT, HARD = 0, 1
Story = list[tuple[int, str]]


def told(move: Move) -> str:
    """A move as one word per fact, as an alert line would say it."""
    if not move.alert:
        return "-"
    return f"{move.state} {'SH'[move.alert_type]}{move.alert_attempt}"


def service_story(
    results: list[int], max_attempts: int = 3, *, volatile: bool = False
) -> list[str]:
    now, lines = (OK, HARD, 1, OK), []
    for result in results:
        move = service_move(*now, result, max_attempts, volatile=volatile, host_up=True)
        now = (move.state, move.state_type, move.attempt, move.last_hard_state)
        lines.append(told(move))
    return lines


def host_story(
    results: list[int], max_attempts: int = 3, *, hard_at_once: bool = False
) -> list[str]:
    now, lines = (UP, HARD, 1, UP), []
    for result in results:
        move = host_move(*now, result, max_attempts, hard_at_once=hard_at_once)
        now = (move.state, move.state_type, move.attempt, move.last_hard_state)
        lines.append(told(move))
    return lines


@pytest.mark.parametrize(
    ("results", "lines"),
    [
        ([0, 0], ["-", "-"]),
        ([2, 0, 0], ["2 S1", "0 S2", "-"]),
        ([2, 2, 2, 2, 0, 0], ["2 S1", "2 S2", "2 H3", "-", "0 H3", "-"]),
        ([1, 2, 3, 3], ["1 S1", "2 S2", "3 H3", "-"]),
        ([2, 2, 2, 1, 1, 3, 0], ["2 S1", "2 S2", "2 H3", "1 H3", "-", "3 H3", "0 H3"]),
    ],
)
def test_a_service_problem_is_soft_until_its_last_attempt(results, lines):
    assert service_story(results) == lines


def test_a_service_with_one_attempt_is_hard_at_once():
    assert service_story([2, 2, 1, 0], 1) == ["2 H1", "-", "1 H1", "0 H1"]


def test_a_volatile_service_alerts_at_each_hard_problem_result():
    assert service_story([2, 2, 2, 0, 0], 1, volatile=True) == ["2 H1"] * 3 + ["0 H1", "-"]


def test_fewer_attempts_confirm_a_soft_problem_at_its_next_result():
    move = service_move(CRITICAL, SOFT, 1, OK, CRITICAL, 1, volatile=False, host_up=True)

    assert told(move) == "2 H1"


def test_a_service_problem_on_a_host_that_is_not_up_is_hard_without_retries():
    move = service_move(OK, HARD, 1, OK, CRITICAL, 3, volatile=False, host_up=False)

    assert told(move) == "2 H1"
    assert move.hard_changed and not move.retry


def test_a_service_problem_is_confirmed_anew_when_its_host_is_back():
    now = (CRITICAL, HARD, 1, CRITICAL)
    lines = []
    for result in (CRITICAL, CRITICAL, CRITICAL, OK):
        move = service_move(*now, result, 3, volatile=False, host_up=True)
        now = (move.state, move.state_type, move.attempt, move.last_hard_state)
        lines.append(told(move))

    assert lines == ["2 S1", "2 S2", "-", "0 H3"]
    assert move.hard_changed and move.recovery


def test_a_confirmed_service_problem_stays_confirmed_through_a_host_outage():
    down = service_move(CRITICAL, HARD, 3, CRITICAL, CRITICAL, 3, volatile=False, host_up=False)
    back = service_move(*[down.state, down.state_type, down.attempt, down.last_hard_state],
                        CRITICAL, 3, volatile=False, host_up=True)  # fmt: skip

    assert (down.state_type, down.attempt, down.alert) == (HARD, 3, False)
    assert (back.state_type, back.attempt, back.alert) == (HARD, 3, False)


@pytest.mark.parametrize(
    ("results", "lines"),
    [
        ([1, 1, 1, 1, 0], ["1 S1", "1 S2", "1 H3", "-", "0 H1"]),
        ([1, 0, 0, 1], ["1 S1", "0 S2", "-", "1 S1"]),
        ([1, 1, 1, 2, 1, 0], ["1 S1", "1 S2", "1 H3", "2 H3", "1 H3", "0 H1"]),
    ],
)
def test_a_host_problem_is_soft_until_its_last_attempt(results, lines):
    assert host_story(results) == lines


def test_a_host_with_one_attempt_is_hard_at_once():
    assert host_story([1, 0, 1, 0], 1) == ["1 H1", "0 H1", "1 H1", "0 H1"]


def test_a_passive_host_result_is_hard_at_once_when_the_main_file_says_so():
    assert host_story([1, 1, 0], hard_at_once=True) == ["1 H1", "-", "0 H1"]


def test_soft_alerts_are_logged_only_with_retries_on():
    soft = service_move(OK, HARD, 1, OK, WARNING, 3, volatile=False, host_up=True)
    hard = service_move(OK, HARD, 1, OK, WARNING, 1, volatile=False, host_up=True)

    assert (logged(soft, True), logged(soft, False)) == (True, False)
    assert (logged(hard, True), logged(hard, False)) == (True, True)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, OK), (1, WARNING), (2, CRITICAL), (3, UNKNOWN), (4, CRITICAL), (7, CRITICAL), (-1, CRITICAL),
     (127, CRITICAL), (CODE_NOT_STARTED, CRITICAL), (CODE_SIGNALLED, UNKNOWN), (CODE_TIMEOUT, CRITICAL)],
)  # fmt: skip
def test_service_states_by_exit_code(code, expected):
    assert state.service_state(code) == expected


@pytest.mark.parametrize("code", [4, 5, -1])
def test_a_passive_result_out_of_range_is_unknown(code):
    assert state.service_state(code, passive=True) == UNKNOWN
    assert state.made_up_output(code, "said", 0.1, "web;http", passive=True) == "said"


def test_the_state_of_a_timeout_is_the_main_files():
    assert state.service_state(CODE_TIMEOUT, UNKNOWN) == UNKNOWN


@pytest.mark.parametrize(
    ("code", "aggressive", "expected"),
    [(0, False, UP), (1, False, UP), (1, True, DOWN), (2, False, DOWN), (3, False, DOWN),
     (CODE_TIMEOUT, False, DOWN), (CODE_NOT_STARTED, False, DOWN)],
)  # fmt: skip
def test_host_states_by_exit_code(code, aggressive, expected):
    assert state.host_state(code, aggressive) == expected


@pytest.mark.parametrize(("exit_status", "expected"), [(0, UP), (1, UP), (2, DOWN), (3, DOWN)])
def test_a_host_check_that_timed_out_counts_as_timeout_exit_status(exit_status, expected):
    assert state.host_state(CODE_TIMEOUT, False, exit_status) == expected
    assert state.host_state(CODE_TIMEOUT) == DOWN
    assert state.host_state(CODE_TIMEOUT, True, 1) == DOWN


def test_untranslated_passive_host_results_stand_as_they_were_sent():
    assert [state.passive_host_state(code, translate=False) for code in (0, 1, 2, 3)] == [
        UP, DOWN, UNREACHABLE, DOWN,
    ]  # fmt: skip


def test_passive_host_results_carry_host_states():
    assert [state.passive_host_state(code) for code in (0, 1, 2, 9)] == [UP, DOWN, DOWN, DOWN]


def test_a_silent_plugin_gets_a_text():
    assert state.made_up_output(0, "", 0.1, "web;http") == "(No output on stdout) stderr:"
    assert state.made_up_output(3, "", 0.1, "web;http") == "(No output on stdout) stderr:"
    assert state.made_up_output(CODE_SIGNALLED, "", 0.1, "web;http") == "(No output on stdout) stderr:"
    assert state.made_up_output(0, "", 0.1, "web;http", passive=True) == "(No output returned from plugin)"
    assert state.made_up_output(0, "fine", 0.1, "web;http") == "fine"
    assert (
        state.made_up_output(CODE_TIMEOUT, "", 60.01, "web;http")
        == "(Service check timed out after 60.01 seconds)"
    )
    assert state.made_up_output(CODE_SIGNALLED, "last words", 0.1, "web;http") == "last words"
    assert "Check if plugin exists" in state.made_up_output(127, "", 0.1, "web;http")
    assert "Check if plugin is executable" in state.made_up_output(126, "", 0.1, "web;http")
    assert "Check if plugin is executable" in state.made_up_output(CODE_NOT_STARTED, "", 0.1, "web")
    assert state.made_up_output(CODE_NOT_STARTED, "why", 0.1, "web") == "why"
    assert (
        state.made_up_output(5, "five", 0.1, "web;http")
        == "(Return code of 5 for service 'http' on host 'web' was out of bounds)\nfive"
    )
    assert (
        state.made_up_output(-1, "", 0.1, "web")
        == "(Return code of -1 for host 'web' was out of bounds)"
    )
    assert state.made_up_output(CODE_TIMEOUT, "", 4.0, "web") == "(Host check timed out after 4.00 seconds)"
    assert state.made_up_output(0, "", 0.1, "web", passive=True) == "(No output returned from host check)"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 5)), max_size=30),
    st.booleans(),
)
def test_any_service_story_keeps_its_invariants(results, volatile):
    now = (OK, HARD, 1, OK)
    hard = OK
    for result, host_up, max_attempts in results:
        move = service_move(*now, result, max_attempts, volatile=volatile, host_up=host_up)
        assert move.state == result
        assert 1 <= move.attempt <= max_attempts and move.alert_attempt >= 1
        assert move.state_type == HARD or move.state != OK
        assert move.retry == (move.state_type == SOFT)
        assert move.changed == (move.state != now[0])
        assert move.recovery == (move.state == OK and now[0] != OK)
        assert move.hard_changed == (move.last_hard_state != hard)
        if move.changed and move.state_type == HARD and host_up and not volatile:
            assert move.alert or move.last_hard_state == hard
        if move.state_type == HARD:
            assert move.last_hard_state == move.state
        hard = move.last_hard_state
        now = (move.state, move.state_type, move.attempt, move.last_hard_state)


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 5)), max_size=30))
def test_any_host_story_keeps_its_invariants(results):
    now = (UP, HARD, 1, UP)
    for result, hard_at_once, max_attempts in results:
        move = host_move(*now, result, max_attempts, hard_at_once=hard_at_once)
        assert move.state == result
        assert 1 <= move.attempt <= max_attempts
        assert move.recovery == (move.state == UP and now[0] != UP)
        assert move.hard_changed == (move.last_hard_state != now[3])
        assert not move.hard_changed or move.alert
        if move.state_type == HARD:
            assert move.last_hard_state == move.state
        if now[0] != UP and now[1] == HARD and result != UP:
            assert move.state_type == HARD
        now = (move.state, move.state_type, move.attempt, move.last_hard_state)


def test_each_move_of_a_host_says_everything():
    def moved(*now, attempts=3, **more):
        return host_move(*now, attempts, **more)

    assert moved(UP, HARD, 1, UP, DOWN) == Move(
        DOWN, SOFT, 1, UP, True, False, True, False, True, SOFT, 1
    )
    assert moved(DOWN, SOFT, 1, UP, DOWN) == Move(
        DOWN, SOFT, 2, UP, False, False, True, False, True, SOFT, 2
    )
    assert moved(DOWN, SOFT, 2, UP, DOWN) == Move(
        DOWN, HARD, 3, DOWN, False, True, True, False, False, HARD, 3
    )
    assert moved(DOWN, HARD, 3, DOWN, UNREACHABLE) == Move(
        UNREACHABLE, HARD, 3, UNREACHABLE, True, True, True, False, False, HARD, 3
    )
    assert moved(DOWN, SOFT, 1, UP, UP) == Move(
        UP, SOFT, 1, UP, True, False, True, True, False, SOFT, 2
    )
    assert moved(DOWN, HARD, 3, DOWN, UP) == Move(
        UP, HARD, 1, UP, True, True, True, True, False, HARD, 1
    )
    assert moved(UP, SOFT, 1, UP, UP) == Move(
        UP, HARD, 1, UP, False, False, False, False, False, HARD, 1
    )
    assert moved(DOWN, SOFT, 1, DOWN, UP).state_type == HARD


@pytest.mark.parametrize("attempts", [-1, 0, 1])
def test_without_attempts_there_is_one(attempts):
    service = service_move(OK, HARD, 1, OK, CRITICAL, attempts, volatile=False, host_up=True)
    host = host_move(UP, HARD, 1, UP, DOWN, attempts)
    better = service_move(CRITICAL, SOFT, 1, OK, OK, attempts, volatile=False, host_up=True)

    assert (service.attempt, service.state_type, host.attempt, host.state_type) == (1, HARD, 1, HARD)
    assert better.alert_attempt == host_move(DOWN, SOFT, 1, UP, UP, attempts).alert_attempt == 1


def test_the_second_of_two_attempts_is_the_second():
    service = service_move(CRITICAL, SOFT, 1, OK, CRITICAL, 2, volatile=False, host_up=True)
    host = host_move(DOWN, SOFT, 1, UP, DOWN, 2)

    assert (service.state_type, service.attempt, host.state_type, host.attempt) == (HARD, 2, HARD, 2)


@pytest.mark.parametrize(
    ("said", "counts"), [(-1, UNKNOWN), (0, OK), (1, WARNING), (3, UNKNOWN), (4, UNKNOWN)]
)
def test_a_timeout_state_that_is_none_is_unknown(said, counts):
    assert state.service_state(CODE_TIMEOUT, said) == counts


def test_a_plugin_that_cannot_be_run_is_critical_and_a_host_that_warns_is_up():
    assert state.service_state(126) == CRITICAL
    assert state.host_state(WARNING) == UP
