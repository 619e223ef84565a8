"""The etcd board: keeps promises and leases in etcd and answers a keeper's rounds as the one voter.

Per lease name two keys: `promise/<name>` stays for ever (the highest epoch, to whom), `held/<name>` is
bound to an etcd lease and goes with it. Every write is one transaction that fails if either key changed
since it was read, so two keepers that judge at one time cannot both be right. Nothing is retried here:
the next round is the retry.
"""

import logging
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import Etcd3Exception
from msgspec import Struct, json
from msgspec.structs import replace

from daemons.ha.engine import View, rule, rule_pause, rule_revoke
from daemons.ha.terms import Terms
from daemons.ha.voterset import ENGINE
from daemons.wire.board import (
    CopyVotes,
    Pause,
    Paused,
    Promise,
    Resume,
    Revoke,
    Revoked,
    Round,
    VoteLine,
    Votes,
    VotesCopy,
)  # fmt: skip
from daemons.wire.messages import Failed, Message

log = logging.getLogger(__name__)
T = TypeVar("T")

VERSION = 1
PAUSE = "pause/order"
PAUSE_RUNS = "pause/runs"
CALL_SHARE = 0.8  # of the time a keeper waits for a round: what one call to etcd may take


class BadEtcdSettings(Exception):
    """The settings of the etcd board make no sense; the text names the setting."""


class Places(Struct, frozen=True, kw_only=True):
    """Where etcd is and how it is entered."""

    urls: tuple[str, ...]
    ca: str = ""  # file; with https
    cert: str = ""
    key: str = ""


class _Kept(Struct, frozen=True):
    """The value of `promise/<name>`."""

    promise: Promise
    version: int = VERSION


class _KeptPause(Struct, frozen=True):
    """The value of `pause/order`; `pause/runs` exists as long as it runs."""

    order: Pause
    version: int = VERSION


class _Held(Struct, frozen=True):
    """The value of `held/<name>`."""

    instance: str
    epoch: int
    version: int = VERSION


class _Read(Struct, frozen=True):
    """What was read at one revision."""

    view: View
    revisions: Mapping[str, int]  # by key
    leases: Mapping[str, int]  # etcd lease by name


def places_of(settings: Mapping[str, str]) -> Places:
    """Return where etcd is by the settings `etcd` (URLs), `etcd_ca`, `etcd_cert`, `etcd_key`.

    Raises BadEtcdSettings.
    """
    urls = tuple(u.strip().rstrip("/") for u in settings.get("etcd", "").split(",") if u.strip())
    if not urls:
        raise BadEtcdSettings("board=etcd needs etcd=http://HOST:2379[,...] in the main file")
    for url in urls:
        try:
            parts = urlsplit(url)
            sound = parts.scheme in ("http", "https") and parts.hostname and parts.port
        except ValueError:
            sound = None
        if not sound:
            raise BadEtcdSettings(f"etcd={url}: write http://HOST:PORT or https://HOST:PORT")
    return Places(
        urls=urls,
        ca=settings.get("etcd_ca", ""),
        cert=settings.get("etcd_cert", ""),
        key=settings.get("etcd_key", ""),
    )


class EtcdVoter:
    """Service "etcd" of a keeper. Called by one thread at a time."""

    def __init__(self, places: Places, cluster: str, terms: Terms) -> None:
        """Nothing is asked yet. `cluster` names the keys, so that clusters may share an etcd."""
        self._terms = terms
        self._prefix = f"/shinken/{cluster}/"
        self._clients = [_client(url, places, terms) for url in places.urls]
        self._first = 0  # the client that answered last
        self._ttl_s = math.ceil(terms.lease_s)

    def apply(self, message: Message) -> Message:
        """Answer a round, a copy or a revocation; Failed when etcd gives no answer in time."""
        try:
            match message:
                case Round():
                    return self._round(message)
                case CopyVotes():
                    read = self._read()
                    view = read.view
                    return VotesCopy(ENGINE, False, dict(view.promises), view.pause, tuple(sorted(view.live)))
                case Revoke():
                    return self._revoke(message)
                case Pause():
                    return self._pause(message)
                case Resume():
                    return self._resume()
                case _:
                    return Failed(f"not for etcd: {type(message).__name__}")
        except _Away as error:
            return Failed(f"etcd: {error}")

    # -- what a keeper asks

    def _round(self, asked: Round) -> Votes:
        read = self._read()
        ruling = rule(read.view, asked, self._terms)
        lost: dict[str, str] = {}  # names whose yes could not be written: why
        for name in ruling.freed:
            self._write(name, read, ends=True)
        for name in ruling.counted:
            if not self._count(name, ruling.promises[name], read):
                lost[name] = "another keeper was faster"
        for name in ruling.renewed:
            if name in ruling.promises and not self._write(name, read, ruling.promises[name]):
                lost[name] = "another keeper was faster"
            elif not self._keep_alive(read.leases.get(name, 0)):
                lost[name] = "its lease has run out in etcd"
        lines = tuple(
            VoteLine(v.name, v.instance, False, v.promised, lost[v.name]) if v.ok and v.name in lost else v
            for v in ruling.votes.lines
        )
        return Votes(ENGINE, asked.serial, lines, ruling.votes.refused)

    def _revoke(self, order: Revoke) -> Revoked:
        read = self._read()
        answer, promises = rule_revoke(read.view, order, self._terms)
        for name, promise in promises.items():
            if not self._write(name, read, promise):
                return Revoked(order.name, False, answer.promised)
        return answer

    # -- etcd

    def _read(self) -> _Read:
        """Everything this cluster has there, at one revision."""
        start = self._prefix.encode()
        answer = self._post("kv/range", {"key": _text(start), "range_end": _text(start[:-1] + b"0")})
        promises: dict[str, Promise] = {}
        pause: Pause | None = None
        revisions: dict[str, int] = {}
        leases: dict[str, int] = {}
        for kv in answer.get("kvs", ()):
            key = b64decode(kv["key"]).decode()
            kind, _, name = key.removeprefix(self._prefix).partition("/")
            revisions[key] = int(kv["mod_revision"])
            if kind == "promise":
                promises[name] = self._decoded(key, b64decode(kv["value"]), _Kept).promise
            elif kind == "held":
                leases[name] = int(kv.get("lease", 0))
            elif (kind, name) == ("pause", "order"):
                pause = self._decoded(key, b64decode(kv["value"]), _KeptPause).order
        if pause is not None and f"{self._prefix}{PAUSE_RUNS}" not in revisions:
            pause = replace(pause, left_s=0.0)
        return _Read(View(promises, frozenset(leases), pause), revisions, leases)

    def _decoded(self, key: str, value: bytes, kind: type[T]) -> T:
        """What stands under `key`. What cannot be read is no reason to promise anything: no answer."""
        try:
            return json.decode(value, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Away(f"{key} is not of this release or damaged ({error}); nothing is granted") from error

    def _count(self, name: str, promise: Promise, read: _Read) -> bool:
        """Begin a lease and bind the promise to it, if nothing has changed since."""
        lease = int(self._post("lease/grant", {"TTL": self._ttl_s})["ID"])
        if self._write(name, read, promise, lease):
            return True
        self._post("lease/revoke", {"ID": lease})
        return False

    def _keep_alive(self, lease: int) -> bool:
        """Count a lease anew; False when it has run out."""
        if not lease:
            return False
        answer = self._post("lease/keepalive", {"ID": lease})
        return int(answer.get("result", {}).get("TTL", 0)) >= self._ttl_s

    def _write(
        self, name: str, read: _Read, promise: Promise | None = None, lease: int = 0, *, ends: bool = False
    ) -> bool:
        """Write the promise, begin or end the lease, in one step; False when something has changed since."""
        kept, held = (f"{self._prefix}{kind}/{name}" for kind in ("promise", "held"))
        steps: list[dict[str, Any]] = []
        if promise is not None:
            steps.append(_put(kept, json.encode(_Kept(promise))))
        if promise is not None and lease:
            steps.append(_put(held, json.encode(_Held(promise.instance, promise.epoch)), lease))
        if ends:
            steps.append(_delete(held))
        return self._transact(read, (kept, held), steps)

    def _pause(self, order: Pause) -> Paused:
        """Keep the order for ever; that it runs, for as long as it is to run."""
        read = self._read()
        answer, is_new = rule_pause(read.view, order, self._terms)
        if not is_new:
            return answer
        kept, runs = f"{self._prefix}{PAUSE}", f"{self._prefix}{PAUSE_RUNS}"
        last = _delete(runs)
        if order.left_s > 0:
            lease = int(self._post("lease/grant", {"TTL": math.ceil(order.left_s)})["ID"])
            last = _put(runs, b"1", lease)
        if self._transact(read, (kept,), [_put(kept, json.encode(_KeptPause(order))), last]):
            return answer
        return Paused(answer.arbiter_epoch, answer.n, answer.left_s, ok=False)

    def _resume(self) -> Paused:
        """An operator's word: whatever order there is runs no more."""
        read = self._read()
        self._transact(read, (), [_delete(f"{self._prefix}{PAUSE_RUNS}")])
        known = read.view.pause or Pause(0, 0, 0.0)
        return Paused(known.arbiter_epoch, known.n, 0.0, ok=True)

    def _transact(self, read: _Read, keys: tuple[str, ...], steps: list[dict[str, Any]]) -> bool:
        """Do `steps` if `keys` are as they were read."""
        unchanged = [
            {"key": _text(key), "target": "MOD", "result": "EQUAL", "mod_revision": read.revisions.get(key, 0)}
            for key in keys
        ]
        answer = self._post("kv/txn", {"compare": unchanged, "success": steps})
        return bool(answer.get("succeeded"))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask one endpoint after the other, first the one that answered last."""
        why = ""
        for index in self._order():
            client = self._clients[index]
            try:
                answer = client.post(client.get_url(path), json=body)
            except (Etcd3Exception, ValueError) as error:
                why = f"{client.base_url}: {error}"
                continue
            self._first = index
            if not isinstance(answer, dict):
                raise _Away(f"{client.base_url} answered {type(answer).__name__}")
            return answer
        raise _Away(why)

    def _order(self) -> Iterable[int]:
        count = len(self._clients)
        return ((self._first + step) % count for step in range(count))


class _Away(Exception):
    """No usable answer."""


def _client(url: str, places: Places, terms: Terms) -> Etcd3Client:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    return Etcd3Client(
        parts.hostname,
        parts.port,
        parts.scheme,
        places.ca or None,
        places.key or None,
        places.cert or None,
        timeout=terms.rpc_timeout_s * CALL_SHARE,
        api_path="/v3/",
    )


def _put(key: str, value: bytes, lease: int = 0) -> dict[str, Any]:
    return {"request_put": {"key": _text(key), "value": _text(value), **({"lease": lease} if lease else {})}}


def _delete(key: str) -> dict[str, Any]:
    return {"request_delete_range": {"key": _text(key)}}


def _text(raw: str | bytes) -> str:
    return b64encode(raw.encode() if isinstance(raw, str) else raw).decode()
