"""Problems and impacts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.rules.impact import Links, causes, hidden_state, raised, sources

BAD = {"b1", "b2"}


@pytest.mark.parametrize(("links", "bad", "found"), [
    (Links(), True, ()),
    (Links(above=("b1",)), False, ("b1",)),
    (Links(above=("ok",)), True, ()),
    (Links(above=("b1", "b2")), False, ("b1", "b2")),
    (Links(above=("b1", "ok")), True, ()),  # one parent is up
    (Links(masters=("ok", "b2")), False, ("b2",)),
    (Links(elements=("b1", "ok")), True, ("b1",)),
    (Links(elements=("b1", "ok")), False, ()),  # the rule is OK
    (Links(above=("b1",), masters=("b2", "b1"), elements=("b2",)), True, ("b1", "b2")),
])  # fmt: skip
def test_causes(links: Links, bad: bool, found: tuple[str, ...]) -> None:
    assert causes(links, bad=bad, is_bad=BAD.__contains__) == found


def test_sources_are_at_the_root_and_never_the_object_itself() -> None:
    above = {"svc": ("web",), "web": ("gw1", "gw2"), "gw1": ("core",), "rule": ("svc", "disk")}

    def causes_of(key: str) -> tuple[str, ...]:
        return above.get(key, ())

    assert sources("core", causes_of) == ()
    assert sources("gw1", causes_of) == ("core",)
    assert sources("svc", causes_of) == ("core", "gw2")
    assert sources("rule", causes_of) == ("core", "disk", "gw2")


@given(st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from("abcde"), max_size=3).map(tuple)))
def test_circles_end(above: dict[str, tuple[str, ...]]) -> None:
    found = sources("a", lambda key: above.get(key, ()))
    assert "a" not in found
    assert all(not above.get(key) for key in found)


@pytest.mark.parametrize(("own", "impacts", "effective"), [
    (2, [], -1), (2, [1, 2], -1), (2, [3], 3), (2, [5, 3], 5), (0, [0], -1), (0, [1], 1),
])  # fmt: skip
def test_a_problem_has_at_least_the_business_impact_of_its_highest_impact(
    own: int, impacts: list[int], effective: int
) -> None:
    assert raised(own, impacts) == effective


def test_what_is_hidden_is_shown_as_nobody_knows() -> None:
    assert (hidden_state(is_host=True), hidden_state(is_host=False)) == (2, 3)
