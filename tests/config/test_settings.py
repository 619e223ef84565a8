"""The main file's settings: what the rules get, and what is said of those that mean nothing here."""

import pytest

from daemons.config.complain import Complaints
from daemons.config.lexer import Setting, Source
from daemons.config.settings import globals_of, settings_of

SOURCE = Source("main.cfg", "")


def read(**said: str) -> tuple[dict[str, str], list[str]]:
    complaints = Complaints()
    found = settings_of([Setting(key, value, SOURCE, 0) for key, value in said.items()], complaints)
    return found, [str(c) for c in complaints.all()]


@pytest.mark.parametrize(("letter", "state"), [("o", 0), ("w", 1), ("c", 2), ("u", 3)])
def test_nagios_own_letter_for_a_check_that_timed_out_is_a_state(letter: str, state: int) -> None:
    found, said = read(service_check_timeout_state=letter)
    assert said == []
    assert globals_of(found).timeout_exit_status == state


def test_shinkens_number_for_it_wins() -> None:
    found, _ = read(service_check_timeout_state="o", timeout_exit_status="3")
    assert globals_of(found).timeout_exit_status == 3


def test_another_letter_is_an_error() -> None:
    found, said = read(service_check_timeout_state="x")
    assert said == ["main.cfg:1: error: service_check_timeout_state 'x' is not one of o, w, c, u"]
    assert globals_of(found).timeout_exit_status == 2


@pytest.mark.parametrize("key", ["check_workers", "log_current_states", "temp_path", "daemon_dumps_core"])
def test_what_says_how_nagios_works_inside_has_no_effect_and_is_said_so(key: str) -> None:
    _, said = read(**{key: "1"})
    assert said == [f"main.cfg:1: warning: {key} has no effect here"]


def test_durations_keep_their_units() -> None:
    found, said = read(cached_host_check_horizon="15", max_service_check_spread="5", interval_length="1")
    assert said == []
    settings = globals_of(found)
    assert settings.cached_host_check_horizon_s == 15.0
    assert settings.max_service_check_spread_s == 300.0
    assert settings.interval_length_s == 1.0
