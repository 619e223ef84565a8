"""Witnesses on this machine: who is asked, what counts as an answer, where the gateway stands."""

import socket

import pytest

from daemons.net.witness import WitnessService, default_gateways, is_own
from daemons.wire.board import AskWitnesses, Witnesses

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t00000000\t0202A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""


@pytest.fixture
def foreign(monkeypatch):
    """Every address of this machine is its own; here loopback plays the outside."""
    monkeypatch.setattr("daemons.net.witness.is_own", lambda host: False)


def ask(*named, servers=(), routes="/nowhere", tmp=None) -> Witnesses:
    answer = WitnessService(named, servers).apply(AskWitnesses(0.3))
    assert isinstance(answer, Witnesses)
    return answer


def test_the_default_gateway_is_read_from_the_kernels_table_the_preferred_one_first(tmp_path):
    routes = tmp_path / "route"
    routes.write_text(ROUTES)

    assert default_gateways(routes) == ("192.168.1.1", "192.168.2.2")
    assert default_gateways(tmp_path / "none") == ()


def test_without_a_gateway_nobody_is_asked(tmp_path):
    answer = WitnessService((), (), tmp_path / "none").apply(AskWitnesses(0.1))

    assert answer == Witnesses()


def test_an_address_of_this_machine_or_of_another_server_of_the_cluster_is_no_witness():
    answer = ask("127.0.0.1", "192.0.2.7", servers=("192.0.2.7",))

    assert answer.asked == () and len(answer.unfit) == 2
    assert is_own("127.0.0.1") and not is_own("192.0.2.7")


def test_a_name_that_is_no_address_is_told():
    assert ask("gate:way").unfit == ("gate:way is neither ADDRESS nor ADDRESS:PORT",)


def test_an_accepted_connection_is_an_answer_a_refused_one_is_none(foreign):
    with socket.create_server(("127.31.9.1", 0)) as open_one, socket.socket() as closed:
        closed.bind(("127.31.9.1", 0))
        yes, no = (f"127.31.9.1:{s.getsockname()[1]}" for s in (open_one, closed))
        answer = ask(yes, no)

    assert answer.asked == (yes, no) and answer.answered == (yes,)


def test_an_address_that_answers_a_ping_is_heard(foreign):
    answer = ask("127.31.9.1")

    assert answer.answered == ("127.31.9.1",)
