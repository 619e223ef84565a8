"""A shard's records as lines of JSON, with names instead of positions, and back.

The one thing to know: only what an object remembers comes back by an import (`o/`, `c/`, `shard`). What
belongs to one history of one cluster, such as planned notifications, ids of commands and positions of
brokers, is in the file for people to read and is left out when it is read.
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT
from msgspec.inspect import StructType, UnionType, VarTupleType, type_info
from msgspec.structs import fields

from daemons.model.status import ContactStatus, ShardStatus, Status

FORMAT = 1
KINDS: dict[str, type[Status] | type[ContactStatus] | type[ShardStatus]] = {
    "o/": Status,
    "c/": ContactStatus,
    "sh": ShardStatus,
}


class BadLine(ValueError):
    """A line of the file is not what an export writes; says why."""


def line_of(shard: int, key: str, value: bytes) -> dict[str, Any]:
    """Return one record as plain data; one that cannot be read is given as it is, with `damaged`."""
    kind = KINDS.get(key[:2])
    if kind is not None:
        try:
            return {"shard": shard, "key": key, "value": _named(msgspec.msgpack.decode(value, type=kind))}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return {"shard": shard, "key": key, "damaged": str(error), "bytes": _text(value)}
    return {"shard": shard, "key": key, "bytes": _text(value)}


def is_damaged(key: str, value: bytes) -> bool:
    """Whether nobody could go on from this record."""
    return "damaged" in line_of(0, key, value)


def record_of(line: Mapping[str, Any]) -> tuple[str, Status | ContactStatus | ShardStatus | None]:
    """Return key and status of a line, None for one that does not come back. Raises BadLine."""
    key = line.get("key")
    if not isinstance(key, str):
        raise BadLine("has no key")
    kind = KINDS.get(key[:2])
    if kind is None or "value" not in line:
        return key, None
    try:
        status = msgspec.convert(_listed(line["value"], type_info(kind)), type=kind)
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise BadLine(f"{key}: {error}") from error
    name = {"o/": "key", "c/": "name"}.get(key[:2], "")
    if name and getattr(status, name) != key[2:]:
        raise BadLine(f"{key} holds what belongs to {getattr(status, name)!r}")
    return key, status


def _named(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {f.name: _named(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_named(each) for each in value]
    return value


def _listed(value: Any, info: Any) -> Any:
    """Undo `_named`: what is missing has its default, what is unknown is left out."""
    if isinstance(info, UnionType) and isinstance(value, dict):
        info = next((one for one in info.types if isinstance(one, StructType)), info)
    if isinstance(info, StructType) and isinstance(value, dict):
        listed = []
        for each in info.fields:
            if each.name in value:
                listed.append(_listed(value[each.name], each.type))
            elif each.default is not NODEFAULT:
                listed.append(each.default)
            elif each.default_factory is not NODEFAULT:
                listed.append(each.default_factory())
            else:
                raise KeyError(each.name)
        return listed
    if isinstance(info, VarTupleType) and isinstance(value, list):
        return [_listed(each, info.item_type) for each in value]
    return value


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
