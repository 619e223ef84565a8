"""Whatever stands in the files, nothing is raised, and every complaint has a place.

Configurations that are nearly right break more than noise does: a good world is spoilt here and there.
"""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.config.load import load
from daemons.config.schema import KINDS
from tests.config.test_any_order import blocks
from tests.config.texts import reader

ODD = [
    "", "*", "!", "!a", "+", "+,", ",", ",,", "null", "+null", "null,a", "a,", "!a,!b", "*,!*", "a b",
    "(", ")", "()", "(((", "a&", "&a", "h1&!h1", "h1|", "!(h1)", "!!h1", "h1 h2", "c++", "r:", "r:(",
    "r:*", "*,contacts bob", "*,contacts +", "r:.*,check_command null", "CPU,use s0", "CPU,_X", ",a b",
    "r:(?P<,x y", "_disks", "_nothing", "disks", "_", "_!disks", "$KEY$", "a[1-", "a[3-1]", "[1-9]" * 9,
    "a$(", "a$()$", "$()$", ")$", "a$(b)$c", "[0-0]", "a[1-2]$(1)$$()$", "0", "-1", "1", "1e5", "9" * 40,
    "nan", "inf", "1,5", "yes", "maybe", "a;b", "a\\;b", "\\", "a\\", "{", "}", "a{1}", "\u00e4",
    "\ufeff", "\x00", "\x0b", "\u2028", "\u0660", "%s", "|", "ok!", "!ok", "bp_rule!", "bp_rule!a&",
    "bp_rule!1 of: g:web", "a,Web", "a,Web,b", "ann", "h0", "h1,h1", "nowhere", "All", "x" * 3000,
    "00:00-24:00", "99:99-1:1", "All,All", "d,d,x", "n,a",
]  # fmt: skip
ATTRS = sorted({line.split(" ")[0] for _, lines in blocks() for line in lines} | {"_!disks"})
WORLD = blocks()
SPOIL = st.tuples(
    st.integers(0, len(WORLD) - 1),
    st.integers(0, 9),
    st.sampled_from(ATTRS),
    st.sampled_from(ODD),
    st.sampled_from(["value", "add", "attr", "remove", "kind", "raw", "open"]),
)


def spoilt(spoils: list[tuple[int, int, str, str, str]]) -> str:
    those = [(kind, list(lines)) for kind, lines in WORLD]
    for number, at, attr, odd, how in spoils:
        _, lines = those[number]
        at %= len(lines)
        if how == "value":
            lines[at] = f"{lines[at].split(' ')[0]} {odd}"
        elif how == "add":
            lines.append(f"{attr} {odd}")
        elif how == "attr":
            lines[at] = f"{attr} {lines[at].partition(' ')[2]}"
        elif how == "remove" and len(lines) > 1:
            del lines[at]
        elif how == "kind":
            those[number] = (sorted(KINDS)[at * 3 % len(KINDS)], lines)
        elif how == "raw":
            lines.insert(at, odd)
        else:
            lines[-1] += "\n}" if at % 2 else "\ndefine host{"
    return "".join(f"define {kind}{{\n" + "\n".join(lines) + "\n}\n" for kind, lines in those)


@given(st.lists(SPOIL, min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_good_configuration_spoilt_here_and_there_breaks_nothing(
    spoils: list[tuple[int, int, str, str, str]],
) -> None:
    found = load(["t.cfg"], reader({"t.cfg": spoilt(spoils)}))

    assert len(found.shards) >= 1
    placed = [c.where for c in found.complaints if c.where]
    assert all(re.fullmatch(r"t\.cfg:[1-9]\d*", where) for where in placed)


@given(
    st.lists(
        st.one_of(st.text(max_size=40), st.sampled_from(["\n", "define host{", "}"])), max_size=30
    ).map("\n".join)
)
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    assert len(load(["t.cfg"], reader({"t.cfg": text})).shards) >= 1
