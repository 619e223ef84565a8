"""Lease settings of the main file: their terms, and the relations that a start insists on."""

from daemons.cli.configuration import read_configuration
from daemons.cli.terms import term_complaints, terms_of
from daemons.ha.terms import Terms, check_terms
from daemons.model.cluster import Cluster


def cluster(**settings) -> Cluster:
    return Cluster(name="c", daemons=(), servers=(), settings=settings)


def test_what_is_not_set_is_the_default():
    assert terms_of(cluster()) == Terms()


def test_every_setting_reaches_the_terms():
    terms = terms_of(
        cluster(
            lease="5", lease_beat="0.9", lease_margin="0.5", lease_timeout="1", clock_drift="0.02",
            split_delay="3", split_policy="hold",
        )
    )

    assert terms == Terms(
        lease_s=5, beat_s=0.9, margin_s=0.5, rpc_timeout_s=1, drift=0.02, split_delay_s=3, split_policy="hold"
    )  # fmt: skip


def test_a_shorter_lease_alone_is_one_to_live_by():
    assert check_terms(terms_of(cluster(lease="1"))) == []


def test_a_beat_too_slow_for_the_lease_is_an_error_that_names_the_setting(tmp_path):
    main = tmp_path / "shinken.cfg"
    main.write_text("lease=2\nlease_beat=1.5\n")
    loaded = read_configuration((str(main),))

    assert not loaded.good
    assert any("lease_beat=1.5 s is more than a fifth of lease=2 s" in str(c) for c in loaded.complaints)


def test_sound_terms_are_no_complaint():
    assert term_complaints(cluster(lease="4", lease_beat="0.8")) == []
