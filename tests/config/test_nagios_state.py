"""What a Nagios remembered comes over; what has no place is counted, and nothing makes the reader fall."""

from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.config.nagios_state import NotRetention, read_retention
from daemons.model.status import HARD, SOFT

TEXT = """########################################
#          NAGIOS STATE RETENTION FILE
########################################
info {
created=1763800000
version=4.4.6
last_update_check=0
}
program {
modified_host_attributes=0
modified_service_attributes=1
enable_notifications=0
active_service_checks_enabled=1
next_comment_id=8
next_downtime_id=4
}
host {
host_name=web1
alias=The web, first
modified_attributes=3
check_command=check-host-alive
check_period=24x7
has_been_checked=1
check_execution_time=4.003
check_latency=0.121
check_type=0
current_state=1
last_state=1
last_hard_state=1
plugin_output=CRITICAL - Host Unreachable (10.0.0.1) = dead
long_plugin_output=first\\nsecond
performance_data=rta=0.000ms;3000;5000;0
last_check=1763799000
next_check=1763799300
current_attempt=10
max_attempts=10
state_type=1
last_state_change=1763790000
last_hard_state_change=1763790600
last_time_up=1763789900
last_time_down=1763799000
last_time_unreachable=0
last_notification=1763798000
current_notification_number=3
notifications_enabled=0
problem_has_been_acknowledged=1
acknowledgement_type=2
active_checks_enabled=1
is_flapping=0
percent_state_change=6.25
state_history=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1
_RACK=0;17
}
service {
host_name=web1
service_description=Load
modified_attributes=7168
normal_check_interval=2.000000
retry_check_interval=0.500000
max_attempts=7
has_been_checked=1
current_state=2
state_type=0
current_attempt=2
last_time_ok=1763798000
last_time_critical=1763799000
plugin_output=load 9
}
contact {
contact_name=ann
modified_attributes=0
modified_host_attributes=1
modified_service_attributes=0
host_notifications_enabled=0
service_notifications_enabled=1
}
hostcomment {
host_name=web1
entry_type=4
comment_id=5
source=0
persistent=1
entry_time=1763797000
expires=0
expire_time=0
author=bob
comment_data=on it; ticket=42
}
servicecomment {
host_name=gone
service_description=Load
entry_type=1
comment_data=lost
}
servicedowntime {
host_name=web1
service_description=Load
comment_id=7
downtime_id=3
entry_time=1763797000
start_time=1763797100
flex_downtime_start=1763797200
end_time=1763807100
triggered_by=0
fixed=0
duration=3600
is_in_effect=1
author=carl
comment=kernel
}
futureblock {
a=1
}
"""


def read(text=TEXT):
    tokens = count()
    return read_retention(text, lambda: f"t{next(tokens)}")


def test_states_attempts_times_and_notification_numbers_come_over():
    host = read().statuses["web1"]
    assert (host.state, host.state_type, host.attempt, host.checked) == (1, HARD, 10, True)
    assert host.output.endswith("= dead") and host.long_output == "first\nsecond"
    assert (host.notification_number, host.problem_wall) == (3, 1763790600)
    assert (host.last_ok_wall, host.last_critical_wall) == (1763789900, 1763799000)
    assert len(host.flap_history) == 21 and host.flap_percent == 6.25
    service = read().statuses["web1;Load"]
    assert (service.state, service.state_type, service.attempt) == (2, SOFT, 2)
    assert service.lineage != host.lineage


def test_only_what_was_changed_at_run_time_comes_over_of_the_settings():
    found = read()
    assert found.statuses["web1"].modified == {
        "notifications_enabled": "0", "active_checks_enabled": "1",
    }  # fmt: skip
    assert found.statuses["web1;Load"].modified == {
        "check_interval_s": "120.0", "retry_interval_s": "30.0", "max_check_attempts": "7",
    }  # fmt: skip
    assert found.contacts["ann"].modified == {"host_notifications_enabled": "0"}
    assert found.switches == {"enable_notifications": "0"}


def test_an_acknowledgement_gets_author_and_text_of_its_comment():
    ack = read().statuses["web1"].ack
    assert (ack.author, ack.comment, ack.sticky, ack.persistent) == ("bob", "on it; ticket=42", True, True)


def test_a_downtime_comes_with_its_comment():
    service = read().statuses["web1;Load"]
    (downtime,) = service.downtimes
    assert (downtime.fixed, downtime.in_effect, downtime.started_wall) == (False, True, 1763797200)
    assert (downtime.duration_s, downtime.author) == (3600, "carl")
    (comment,) = service.comments
    assert (comment.kind, comment.source_id, comment.text) == (2, downtime.id, "kernel")
    assert read().highest_id >= max(downtime.id, comment.id)


def test_what_is_taken_and_what_is_left_is_counted():
    found = read()
    assert (found.taken["hosts"], found.taken["services"], found.taken["downtimes"]) == (1, 1, 1)
    assert found.taken["acknowledgements"] == 1
    assert found.skipped == {
        "custom variables: they come from the configuration": 1,
        "block 'futureblock', which has no place here": 1,
        "servicecomment of an object that is not in the file": 1,
    }


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes():
    found = read(TEXT[: TEXT.index("service_description=Load")])
    assert list(found.statuses) == ["web1"]
    assert any("cut off" in why for why in found.skipped)


@pytest.mark.parametrize("text", ["", "hello", "define host {", "\0\0"])
def test_a_file_of_another_kind_is_refused(text):
    with pytest.raises(NotRetention, match=r"host \{"):
        read(text)


@pytest.mark.parametrize("value", ["-5", "nan", "inf", "1e400", "x", "", "99999999999999999999"])
def test_numbers_that_are_none_are_none(value):
    fields = ("current_state", "last_check", "current_attempt", "state_history", "modified_attributes")
    text = "host {\nhost_name=a\n" + "".join(f"{name}={value}\n" for name in fields) + "}\n"
    status = read(text).statuses["a"]
    assert 0 <= status.state <= 2 and status.attempt >= 1 and status.last_check_wall >= 0


@given(st.lists(st.sampled_from([*TEXT.splitlines(), "}", "host {", "service {", "=", "\x85"]), max_size=60))
def test_lines_in_any_order_make_no_error(lines):
    with suppress(NotRetention):
        read("\n".join(lines))
