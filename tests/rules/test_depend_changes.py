"""Dependencies changed at run time."""

import pytest

from daemons.model.relations import Dependency
from daemons.rules.depend_changes import changed, with_added, with_removed

WRITTEN = (
    Dependency(dependent="web1", on="gw", execution=("d",)),
    Dependency(dependent="web1", on="db1", notification=("d",)),
)


def on(text, written=WRITTEN):
    return [(d.on, d.notification, d.execution) for d in changed(written, "web1", text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [("gw", (), ("d",)), ("db1", ("d",), ())]),
        (";;+;-", [("gw", (), ("d",)), ("db1", ("d",), ())]),
        ("-gw", [("db1", ("d",), ())]),
        ("+gw", [("gw", (), ("d",)), ("db1", ("d",), ()), ("gw", ("d", "u"), ())]),
        ("+db1", [("gw", (), ("d",)), ("db1", ("d",), ())]),
        ("-db1;+nas", [("gw", (), ("d",)), ("nas", ("d", "u"), ())]),
        ("-none", [("gw", (), ("d",)), ("db1", ("d",), ())]),
        ("?gw", [("gw", (), ("d",)), ("db1", ("d",), ())]),
    ],
)
def test_changes_are_laid_over_what_is_written(text, found):
    assert on(text) == found


def test_what_is_added_silences_is_of_that_host_and_goes_up():
    (added,) = changed((), "web1", "+gw")
    assert added == Dependency(dependent="web1", on="gw", notification=("d", "u"), inherits_parent=True)


def test_the_last_word_on_a_host_counts():
    text = with_removed(with_added(with_added("", "gw"), "db1"), "gw")
    assert text == "+db1;-gw"
    assert with_added(text, "gw") == "+db1;+gw"


def test_an_empty_change_hides_no_other():
    assert on(";+nas", ()) == [("nas", ("d", "u"), ())]
