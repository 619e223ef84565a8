"""Log lines, letter by letter."""

import pytest

from daemons.rules import lines


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (lambda: lines.alert("h", 1, 0, 2, "o"), "HOST ALERT: h;DOWN;SOFT;2;o"),
        (lambda: lines.alert("h;s", 2, 1, 3, "o"), "SERVICE ALERT: h;s;CRITICAL;HARD;3;o"),
        (lambda: lines.stale("h;s", 93784.9, 59.0),
         "Warning: The results of service 's' on host 'h' are stale by 1d 2h 3m 4s (threshold=0d 0h 0m 59s)."
         "  I'm forcing an immediate check of the service."),
        (lambda: lines.stale("h", 60.0, 3600.0),
         "Warning: The results of host 'h' are stale by 0d 0h 1m 0s (threshold=0d 1h 0m 0s)."
         "  I'm forcing an immediate check of the host."),
        (lambda: lines.orphaned("h;s", 12.5, 13.0),
         "Warning: The check of service 's' on host 'h' looks like it was orphaned (results never came back;"
         " last_check=12; next_check=13).  I'm scheduling an immediate check of the service..."),
        (lambda: lines.orphaned("h", 0.0, 13.0),
         "Warning: The check of host 'h' looks like it was orphaned (results never came back;"
         " last_check=0; next_check=13).  I'm scheduling an immediate check of the host..."),
        (lambda: lines.current_state("h", 0, 1, 1, "o"), "CURRENT HOST STATE: h;UP;HARD;1;o"),
        (lambda: lines.current_state("h;s", 3, 1, 1, ""), "CURRENT SERVICE STATE: h;s;UNKNOWN;HARD;1;"),
        (lambda: lines.initial_state("h", 2, 1, 1, "o"), "INITIAL HOST STATE: h;UNREACHABLE;HARD;1;o"),
        (lambda: lines.event_handler("h;s", 1, 0, 1, "fix"), "SERVICE EVENT HANDLER: h;s;WARNING;SOFT;1;fix"),
        (lambda: lines.snapshot("h", 1, 1, 1, "snap"), "HOST SNAPSHOT: h;DOWN;HARD;1;snap"),
        (lambda: lines.maintenance("h;s", "PRODUCTION", "o"), "SERVICE MAINTENANCE ALERT: h;s;PRODUCTION;o"),
        (lambda: lines.maintenance("h", "MAINTENANCE", "o"), "HOST MAINTENANCE ALERT: h;MAINTENANCE;o"),
        (lambda: lines.notification("c", "h;s", "PROBLEM", 2, "mail", "o"),
         "SERVICE NOTIFICATION: c;h;s;CRITICAL;mail;o"),
        (lambda: lines.notification("c", "h", "RECOVERY", 0, "mail", "o"), "HOST NOTIFICATION: c;h;UP;mail;o"),
        (lambda: lines.notification("c", "h;s", "ACKNOWLEDGEMENT", 2, "mail", "o", "joe", "ack"),
         "SERVICE NOTIFICATION: c;h;s;ACKNOWLEDGEMENT (CRITICAL);mail;o;joe;ack"),
        (lambda: lines.notification("c", "h;s", "DOWNTIMECANCELLED", 2, "mail", "o"),
         "SERVICE NOTIFICATION: c;h;s;DOWNTIMECANCELLED (CRITICAL);mail;o;;"),
        (lambda: lines.notification("c", "h;s", "FLAPPINGSTART", 0, "mail", "o"),
         "SERVICE NOTIFICATION: c;h;s;FLAPPINGSTART (OK);mail;o"),
        (lambda: lines.flapping_started("h;s", 24.21, 20.0),
         "SERVICE FLAPPING ALERT: h;s;STARTED; Service appears to have started flapping"
         " (24.2% change >= 20.0% threshold)"),
        (lambda: lines.flapping_started("h", 24.21, 20.0),
         "HOST FLAPPING ALERT: h;STARTED; Host appears to have started flapping"
         " (24.2% change > 20.0% threshold)"),
        (lambda: lines.flapping_stopped("h;s", 3.75, 5.0),
         "SERVICE FLAPPING ALERT: h;s;STOPPED; Service appears to have stopped flapping"
         " (3.8% change < 5.0% threshold)"),
        (lambda: lines.flapping_disabled("h"),
         "HOST FLAPPING ALERT: h;DISABLED; Flap detection has been disabled"),
        (lambda: lines.downtime_started("h;s"),
         "SERVICE DOWNTIME ALERT: h;s;STARTED; Service has entered a period of scheduled downtime"),
        (lambda: lines.downtime_stopped("h"),
         "HOST DOWNTIME ALERT: h;STOPPED; Host has exited from a period of scheduled downtime"),
        (lambda: lines.downtime_cancelled("h;s"),
         "SERVICE DOWNTIME ALERT: h;s;CANCELLED; Scheduled downtime for service has been cancelled."),
        (lambda: lines.contact_downtime("c", True),
         "CONTACT DOWNTIME ALERT: c;STARTED; Contact has entered a period of scheduled downtime"),
        (lambda: lines.contact_downtime("c", False),
         "CONTACT DOWNTIME ALERT: c;STOPPED; Contact has exited from a period of scheduled downtime"),
        (lambda: lines.passive_check("h;s", 2, "o"), "PASSIVE SERVICE CHECK: h;s;2;o"),
        (lambda: lines.passive_check("h", 1, "o"), "PASSIVE HOST CHECK: h;1;o"),
        (lambda: lines.external_command("[12] ADD_HOST_COMMENT;h;1;a;[b] c"),
         "EXTERNAL COMMAND: ADD_HOST_COMMENT;h;1;a;[b] c"),
        (lambda: lines.external_command("DISABLE_NOTIFICATIONS"), "EXTERNAL COMMAND: DISABLE_NOTIFICATIONS"),
        (lambda: lines.period_transition("24x7", -1, 1), "TIMEPERIOD TRANSITION: 24x7;-1;1"),
    ],
)  # fmt: skip
def test_lines_are_written_as_log_tools_know_them(line, text):
    assert line() == text


def test_the_global_event_handler_says_so():
    facts = ("web1;http", 2, 1, 3, "repair")

    assert lines.event_handler(*facts) == "SERVICE EVENT HANDLER: web1;http;CRITICAL;HARD;3;repair"
    assert lines.event_handler(*facts, everyones=True) == (
        "GLOBAL SERVICE EVENT HANDLER: web1;http;CRITICAL;HARD;3;repair"
    )


def test_a_downtime_of_a_contact_begins_ends_and_is_cancelled():
    assert lines.contact_downtime("ann", True) == (
        "CONTACT DOWNTIME ALERT: ann;STARTED; Contact has entered a period of scheduled downtime"
    )
    assert lines.contact_downtime("ann", False) == (
        "CONTACT DOWNTIME ALERT: ann;STOPPED; Contact has exited from a period of scheduled downtime"
    )
    assert lines.contact_downtime_cancelled("ann") == (
        "CONTACT DOWNTIME ALERT: ann;CANCELLED; Scheduled downtime for contact has been cancelled."
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("[12] NO_SUCH;a", "NO_SUCH;a"),
        ("[12]NO_SUCH;a", "NO_SUCH;a"),
        (" NO_SUCH;a ", "NO_SUCH;a"),
        ("[12]", "[12]"),
        ("a\nb\r\nc", "a b c"),
        ("[", "["),
    ],
)
def test_a_command_is_shown_without_its_time_on_one_line(line, shown):
    assert lines.command_unknown(line) == f"Warning: Unrecognized external command -> {shown}"
    assert lines.command_failed(line, "why") == f"Error: External command failed -> {shown} (why)"
    assert lines.external_command(line) == f"EXTERNAL COMMAND: {shown}"


def test_passive_results_of_nobody():
    of = "Warning:  Passive check result was received for service 'http' on host 'web1', but the"
    assert lines.passive_unknown("web1", "http", host_known=True) == f"{of} service could not be found!"
    assert lines.passive_unknown("web1", "http") == f"{of} host could not be found!"
    assert lines.passive_unknown("web1") == (
        "Warning:  Passive check result was received for host 'web1', but the host could not be found!"
    )


def test_each_line_has_the_noun_of_what_it_is_about():
    assert lines.flapping_stopped("h", 3.75, 5.0) == (
        "HOST FLAPPING ALERT: h;STOPPED; Host appears to have stopped flapping (3.8% change < 5.0% threshold)"
    )
    assert lines.downtime_started("h") == (
        "HOST DOWNTIME ALERT: h;STARTED; Host has entered a period of scheduled downtime"
    )
    assert lines.downtime_stopped("h;s") == (
        "SERVICE DOWNTIME ALERT: h;s;STOPPED; Service has exited from a period of scheduled downtime"
    )
    assert lines.downtime_cancelled("h") == (
        "HOST DOWNTIME ALERT: h;CANCELLED; Scheduled downtime for host has been cancelled."
    )
    assert "1d 0h 0m 0s (threshold=2d 0h 0m 0s)" in lines.stale("h", 86400.0, 172800.0)


@pytest.mark.parametrize(
    ("key", "state", "name"),
    [("h;s", 4, "UNKNOWN"), ("h;s", -2, "UNKNOWN"), ("h", 3, "UNREACHABLE"), ("h", -2, "UNREACHABLE")],
)  # fmt: skip
def test_a_state_without_a_name_has_the_last_one(key, state, name):
    assert lines.state_name(key, state) == name
