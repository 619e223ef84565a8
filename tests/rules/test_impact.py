"""Problems and impacts."""

import pytest

from daemons.rules.impact import Links, causes, hidden_state, raised, sources

BAD = {"b1", "b2"}


@pytest.mark.parametrize(("links", "bad", "found"), [
    (Links(), True, ()),
    (Links(above=("b1",)), False, ("b1",)),
    (Links(above=("ok",)), True, ()),
    (Links(above=("hit",)), False, ("hit",)),  # it suffers itself
    (Links(above=("b1", "hit")), False, ("b1", "hit")),
    (Links(above=("b1", "ok")), True, ()),  # one parent is up
    (Links(masters=("ok", "b2")), False, ("b2",)),
    (Links(masters=("hit",)), True, ()),
    (Links(elements=("b1", "ok")), True, ("b1",)),
    (Links(elements=("b1", "ok")), False, ()),  # the rule is OK
    (Links(elements=("hit",)), True, ()),
    (Links(above=("b1",), masters=("b2", "b1"), elements=("b2",)), True, ("b1", "b2")),
])  # fmt: skip
def test_causes(links: Links, bad: bool, found: tuple[str, ...]) -> None:
    lost = (BAD | {"hit"}).__contains__
    assert causes(links, bad=bad, is_bad=BAD.__contains__, is_lost=lost) == found


def found(key: str, *of: str) -> tuple[str, ...]:
    suffering = {"web": ("gw2", "gw1"), "old": ("over",), "self": ("rule",)}
    return sources(
        key, of, sources_of=lambda one: suffering.get(one, ()), is_problem=lambda one: one != "over"
    )


def test_sources_are_the_causes_or_what_those_suffer_from() -> None:
    assert found("svc") == ()
    assert found("svc", "gw1") == ("gw1",)
    assert found("svc", "web", "disk") == ("disk", "gw1", "gw2")


def test_nothing_is_its_own_source_nor_what_is_no_problem_any_more() -> None:
    assert found("rule", "self") == ()
    assert found("rule", "self", "disk") == ("disk",)
    assert found("svc", "old") == found("svc", "over") == ()


@pytest.mark.parametrize(("own", "impacts", "effective"), [
    (2, [], -1), (2, [1, 2], -1), (2, [3], 3), (2, [5, 3], 5), (0, [0], -1), (0, [1], 1),
])  # fmt: skip
def test_a_problem_has_at_least_the_business_impact_of_its_highest_impact(
    own: int, impacts: list[int], effective: int
) -> None:
    assert raised(own, impacts) == effective


def test_what_is_hidden_is_shown_as_nobody_knows() -> None:
    assert (hidden_state(is_host=True), hidden_state(is_host=False)) == (2, 3)
