"""The setting `board`: what a start refuses, and who is asked."""

import pytest

from daemons.cli.board import board_complaints, engine_of
from daemons.model.cluster import Cluster, ServerDef
from daemons.net.etcd import Places, places_of

TWO = (ServerDef("one", "127.0.0.1", 0), ServerDef("two", "127.0.0.2", 1))


def cluster(servers=TWO, **settings) -> Cluster:
    return Cluster(name="c", daemons=(), servers=servers, settings=settings)


def test_without_a_setting_the_keepers_vote():
    assert board_complaints(cluster()) == []
    assert engine_of(cluster()) == {}


def test_a_single_board_is_for_one_server():
    assert board_complaints(cluster(TWO[:1], board="single")) == []
    (complaint,) = board_complaints(cluster(board="single"))
    assert "these are 2: one, two" in str(complaint)


@pytest.mark.parametrize(
    ("etcd", "said"),
    [
        ("", "board=etcd needs etcd="),
        ("127.0.0.1:2379", "write http://HOST:PORT"),
        ("http://127.0.0.1", "write http://HOST:PORT"),
        ("http://127.0.0.1:port", "write http://HOST:PORT"),
        ("ftp://127.0.0.1:21", "write http://HOST:PORT"),
    ],
)
def test_an_etcd_that_cannot_be_found_is_refused(etcd, said):
    (complaint,) = board_complaints(cluster(board="etcd", etcd=etcd))
    assert said in str(complaint)


def test_all_members_are_asked():
    settings = {"board": "etcd", "etcd": "http://127.0.0.1:1/, https://127.0.0.2:2", "etcd_ca": "ca.pem"}
    assert places_of(settings) == Places(urls=("http://127.0.0.1:1", "https://127.0.0.2:2"), ca="ca.pem")
    assert set(engine_of(cluster(**settings))) == {"etcd"}
