"""Where a daemon finds its peers."""

from daemons.cli.reach import Keys, peers, where
from daemons.net.home import Bundle
from tests.config.test_daemondefs import daemon
from tests.config.texts import loaded


def bundle(text: str) -> Bundle:
    cluster = loaded(text).cluster
    assert cluster is not None
    return Bundle(cluster=cluster, server=cluster.servers[0], files=())


def test_a_satellitemap_is_what_that_daemon_sees_and_no_other() -> None:
    here = bundle(
        daemon("scheduler", "s", "address 10.0.0.1", "port 9000")
        + daemon("poller", "p", "address 10.0.0.2", "satellitemap s=192.0.2.1,q=192.0.2.2:81")
        + daemon("poller", "q", "address 10.0.0.3")
    )
    keys = Keys(here)

    def at(sender: str, to: str) -> tuple[str, int]:
        peer = peers(here, sender, "i", keys)(to)
        assert peer is not None
        address, _, port = peer.name.rpartition(" at ")[2].rpartition(":")
        return address, int(port)

    assert at("p", "s") == ("192.0.2.1", 9000)
    assert at("p", "q") == ("192.0.2.2", 81)
    assert at("q", "s") == ("10.0.0.1", 9000)
    found = where(here, "s")
    assert found is not None and found[:2] == ("10.0.0.1", 9000)
    assert peers(here, "p", "i", keys)("nobody") is None
