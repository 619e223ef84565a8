"""Hypothesis strategies for every message, made from its annotations."""

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from daemons.wire.messages import Message

MESSAGES: tuple[type, ...] = get_args(Message)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_PLAIN: dict[Any, st.SearchStrategy] = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    str: _TEXT,
    bytes: st.binary(max_size=16),
    bool: st.booleans(),
    type(None): st.none(),
}


def of(kind: Any) -> st.SearchStrategy:
    """Return a strategy for values of the annotation `kind`."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of([of(arg) for arg in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(of(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, args))
    if origin is dict:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=3)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})
    raise TypeError(f"no strategy for {kind!r}")
