"""Masks of modified attributes, both ways."""

import pytest

from daemons.rules import modattr
from daemons.rules.modattr import (
    BITS,
    CONTACT_HOST_BITS,
    CONTACT_SERVICE_BITS,
    CUSTOM_VARIABLE,
    GLOBAL_HOST_BITS,
    GLOBAL_SERVICE_BITS,
    NAMES,
    mask,
    mask_of_ways,
    masked,
    names,
)


def test_bits_are_those_of_nagios():
    assert BITS == {
        "notifications_enabled": 1, "active_checks_enabled": 2, "passive_checks_enabled": 4,
        "event_handler_enabled": 8, "flap_detection_enabled": 16, "failure_prediction_enabled": 32,
        "process_perf_data": 64, "obsess": 128, "event_handler": 256, "check_command": 512,
        "check_interval_s": 1024, "retry_interval_s": 2048, "max_check_attempts": 4096,
        "check_freshness": 8192, "check_period": 16384, "notification_period": 65536,
    }  # fmt: skip
    assert modattr.CUSTOM_VARIABLE == 32768
    assert sum(NAMES) == 2**17 - 1
    assert set(BITS.values()) | {CUSTOM_VARIABLE} == set(NAMES)


@pytest.mark.parametrize("bits", [GLOBAL_HOST_BITS, GLOBAL_SERVICE_BITS])
def test_global_settings_have_the_bits_of_their_kind(bits):
    assert list(bits.values()) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 8192]


@pytest.mark.parametrize(("bits", "kind"), [(CONTACT_HOST_BITS, "host"), (CONTACT_SERVICE_BITS, "service")])
def test_contacts_have_a_switch_and_a_period_for_each_kind(bits, kind):
    assert bits == {f"{kind}_notifications_enabled": 1, f"{kind}_notification_period": 65536}


@pytest.mark.parametrize(
    ("modified", "bits"),
    [
        ({}, 0),
        ({"notifications_enabled": "0"}, 1),
        ({"_RACK": "r9", "notifications_enabled": "1"}, 32769),
        ({"_A": "", "_B": ""}, 32768),
        ({"host_dependencies": "+gw"}, 0),
        (dict.fromkeys(BITS, "1"), 2**17 - 1 - 32768),
    ],
)
def test_the_mask_of_what_was_changed(modified, bits):
    assert mask(modified) == bits


def test_the_mask_of_one_side_of_a_contact():
    modified = {"_ROOM": "7", "host_notifications_enabled": "0", "service_notification_period": "nights"}
    assert mask_of_ways(modified, CONTACT_HOST_BITS) == 1
    assert mask_of_ways(modified, CONTACT_SERVICE_BITS) == 65536
    assert mask(modified, {}) == 32768


def test_names_are_in_the_order_of_the_bits():
    assert names(32769) == ("notifications_enabled", "custom_variable")
    assert names(0) == ()
    assert names(2**17 - 1) == tuple(NAMES.values())
    assert names(256 + 1024 + 65536) == ("event_handler_command", "normal_check_interval", "notification_timeperiod")


CHANGED = {"notifications_enabled": "0", "check_interval_s": "60.0", "_RACK": "r9", "host_dependencies": "+gw"}


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (0, {"host_dependencies": "+gw"}),
        (1, {"notifications_enabled": "0", "host_dependencies": "+gw"}),
        (1025, {"notifications_enabled": "0", "check_interval_s": "60.0", "host_dependencies": "+gw"}),
        (32768, {"_RACK": "r9", "host_dependencies": "+gw"}),
        (2, {"host_dependencies": "+gw", "active_checks_enabled": "now"}),
        (3, {"notifications_enabled": "0", "host_dependencies": "+gw", "active_checks_enabled": "now"}),
        (2**20, {"host_dependencies": "+gw"}),
    ],
)
def test_a_mask_says_what_is_kept(wanted, left):
    assert masked(CHANGED, wanted, lambda name: "now") == left


def test_what_has_no_value_to_keep_is_not_kept():
    assert masked({}, 3, lambda name: None if name == "notifications_enabled" else "") == {"active_checks_enabled": ""}


def test_variables_stay_where_the_mask_is_about_others():
    modified = {"_ROOM": "7", "host_notifications_enabled": "0", "service_notifications_enabled": "0"}
    assert masked(modified, 0, lambda name: "x", CONTACT_HOST_BITS, custom=False) == {
        "_ROOM": "7", "service_notifications_enabled": "0",
    }  # fmt: skip
    assert masked(modified, 0, lambda name: "x", {}) == {
        "host_notifications_enabled": "0", "service_notifications_enabled": "0",
    }  # fmt: skip
