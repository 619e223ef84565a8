"""When a check is given up."""

import pytest

from daemons.model.objects import Globals, Traits
from daemons.rules.orphan import given_up_s

ON = Globals()


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [(300.0, 70.0), (70.0, 70.0), (69.0, 69.0), (60.0, 60.0), (10.0, 60.0), (0.0, 0.0), (-1.0, 0.0)],
)
def test_not_before_its_time_is_out_and_soon_after(set_to, expected):
    traits = Traits(time_to_orphanage_s=set_to)
    assert given_up_s(traits, ON, 60.0, 10.0, is_host=False) == expected
    assert given_up_s(traits, ON, 60.0, 10.0, is_host=True) == expected


@pytest.mark.parametrize("is_host", [True, False])
def test_each_kind_has_its_switch(is_host):
    hosts_off = Globals(check_for_orphaned_hosts=False)
    services_off = Globals(check_for_orphaned_services=False)
    assert (given_up_s(Traits(), hosts_off, 60.0, 10.0, is_host=is_host) == 0.0) == is_host
    assert (given_up_s(Traits(), services_off, 60.0, 10.0, is_host=is_host) == 0.0) != is_host


def test_a_second_is_a_time_to_orphanage():
    assert given_up_s(Traits(time_to_orphanage_s=1.0), ON, 0.5, 10.0, is_host=False) == 1.0
