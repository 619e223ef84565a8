"""Objects that came into a shard, held back until every other shard has let them go.

The one thing to know: what is held is not an object of the shard yet: nothing checks it, and nothing is told
of it. It becomes one, with the state that the owner before kept of it, when all have said that they do not
run it. What went from a shard stays there as record "m/<key>" until its new owner has it, or for an hour.
"""

import logging
from collections.abc import Iterable

import msgspec

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.model.objects import Key, ShardBody
from daemons.model.status import Status
from daemons.roles.role import Call
from daemons.wire.messages import Done, Message, Roster
from daemons.wire.moves import DropMoved, Moved, TakeMoved

log = logging.getLogger(__name__)

PAGE = 2000  # objects of one question
ASK_S = 0.2  # between two questions to a shard that has not let go
ANSWER_S = 2.0
GIVE_UP_S = 60.0  # for shards that do not answer, or do not come to the configuration
KEPT_S = 3600.0  # nobody asked for it: it was deleted
SHOWN_S = 600.0  # that objects began without an answer is a problem for so long
TELL_S = 5.0  # between two tries to have records dropped
_encode = msgspec.msgpack.Encoder().encode
Departed = tuple[int, float, bytes]  # configuration that took it away, wall time, status
_decode = msgspec.msgpack.Decoder(Departed).decode
_decode_status = msgspec.msgpack.Decoder(Status).decode


def departed(config_n: int, wall: float, status: bytes) -> bytes:
    """Return what is kept of an object that configuration `config_n` took out of its shard."""
    return _encode((config_n, wall, status))


def departed_wall(record: bytes) -> float:
    """Return when that was, as wall time; 0 when it cannot be read."""
    try:
        _, wall, _ = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0.0
    return float(wall)


def newest(records: Iterable[bytes]) -> Status | None:
    """Return the newest status of what several shards kept of an object."""
    found: list[Departed] = []
    for record in records:
        try:
            found.append(_decode(record))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    for _, _, status in sorted(found, key=lambda kept: kept[:2], reverse=True):
        try:
            return _decode_status(status)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return None


def arrive(status: Status, epoch: Epoch) -> Status:
    """Let `status` go on under another shard's `epoch`: only runs ordered from now on count."""
    status.applied_epoch, status.applied_seq = epoch, status.next_seq - 1
    return status


def without(body: ShardBody, held: frozenset[Key]) -> ShardBody:
    """Return `body` less the objects of `held`."""
    if not held:
        return body
    services = tuple(
        s for s in body.services if s.host not in held and f"{s.host};{s.description}" not in held
    )
    hosts = tuple(host for host in body.hosts if host.name not in held)
    return msgspec.structs.replace(body, hosts=hosts, services=services)


def keys_of(body: ShardBody) -> Iterable[Key]:
    """Yield the keys of all objects."""
    for host in body.hosts:
        yield host.name
    for service in body.services:
        yield f"{service.host};{service.description}"


class Parted:
    """Shards that were here and are no more: what others may ask for."""

    def __init__(self) -> None:
        """There are none."""
        self._records: dict[int, tuple[dict[str, bytes], int, float]] = {}

    def keep(self, shard: int, records: dict[str, bytes], config_n: int, now: Now) -> None:
        """Keep the records of `shard`, which configuration `config_n` has no more, in memory for an hour."""
        self._records = {
            known: kept for known, kept in self._records.items() if now.mono - kept[2] < KEPT_S
        }
        self._records[shard] = (records, config_n, now.mono)

    def give(self, asked: TakeMoved, config_n: int, now: Now) -> Moved | None:
        """Answer for objects of such a shard; None when it was not here, or our configuration is older."""
        kept = self._records.get(asked.of)
        if kept is None or config_n < asked.config_n:
            return None
        found = {}
        for key in asked.keys:
            if (status := kept[0].get("o/" + key)) is not None:
                found[key] = departed(kept[1], now.wall, status)
            elif (record := kept[0].get("m/" + key)) is not None:
                found[key] = record
        return Moved(asked.of, True, (), found)


class _Asked:
    """One other shard."""

    def __init__(self) -> None:
        self.page = 0
        self.done = False
        self.under_way = False
        self.due_mono = 0.0
        self.running: frozenset[Key] = frozenset()
        self.heard_mono = 0.0


class Moving:
    """What one owner holds back, whom it has asked, and what it was given."""

    def __init__(self, shard: int) -> None:
        """Nothing is held."""
        self.shard = shard
        self.trouble = ""
        self._trouble_until_mono = 0.0
        self.found: dict[Key, list[bytes]] = {}
        self.settings: dict[str, bytes] = {}  # that the others have of the whole and of contacts
        self._held: tuple[Key, ...] = ()
        self._asked: dict[int, _Asked] = {}
        self._config_n = 0
        self._since_mono = 0.0
        self._given: dict[int, dict[Key, None]] = {}  # by shard: what it may forget once it is durable here
        self._tell_mono = 0.0

    def hold(self, keys: Iterable[Key], now: Now) -> None:
        """Ask for these from now on, and for no others."""
        self._held = tuple(sorted(keys))
        self.found = {key: self.found[key] for key in self._held if key in self.found}
        self._asked = {}
        self._since_mono = now.mono

    def tick(self, roster: Roster, gone: dict[int, str], now: Now) -> list[Call]:
        """Return the questions that are due. `gone`: shards that this configuration took away, and who had them."""
        if now.mono >= self._trouble_until_mono:
            self.trouble = ""
        if not self._held:
            return []
        if roster.config_n != self._config_n:  # who has let go under that one is not known
            self._config_n, self._asked = roster.config_n, {}
        calls = []
        owners = gone | {p.id: p.scheduler for p in roster.shards}
        owners.pop(self.shard, None)
        self._asked = {shard: self._asked.get(shard) or _Asked() for shard in owners}
        for shard, asked in self._asked.items():
            if asked.done or asked.under_way or now.mono < asked.due_mono or not owners[shard]:
                continue
            asked.under_way = True
            message = TakeMoved(self.shard, shard, self._config_n, self._page(asked))
            calls.append(Call(owners[shard], message, ANSWER_S, lane=f"moved/{self.shard}/{shard}"))
        return calls

    def answered(self, sent: TakeMoved, answer: Message, now: Now) -> None:
        """Take what another shard's owner says."""
        asked = self._asked.get(sent.of)
        if asked is None:
            return
        asked.under_way, asked.due_mono = False, now.mono + ASK_S
        if not isinstance(answer, Moved) or sent.config_n != self._config_n or sent.keys != self._page(asked):
            return
        asked.running, asked.heard_mono = frozenset(answer.running), now.mono
        if not answer.settled:
            return
        self.settings.update(answer.settings)
        for key, record in answer.records.items():
            self.found.setdefault(key, []).append(record)
            self._given.setdefault(sent.of, {})[key] = None
        asked.page += 1
        asked.due_mono = now.mono
        asked.done = asked.page * PAGE >= len(self._held)

    def released(self, now: Now) -> frozenset[Key]:
        """Return the held objects that may begin now, after `tick`; those of a shard that does not answer after a minute."""
        if not self._held:
            return frozenset()
        silent = [shard for shard, asked in self._asked.items() if not asked.done]
        if not silent:
            return frozenset(self._held)
        if now.mono - self._since_mono < GIVE_UP_S:
            return frozenset()
        self._since_mono = now.mono
        running = {
            key
            for asked in self._asked.values()
            if now.mono - asked.heard_mono < GIVE_UP_S
            for key in asked.running
        }
        free = frozenset(self._held) - running
        names = ",".join(map(str, silent))
        self._trouble_until_mono = now.mono + SHOWN_S
        self.trouble = (
            f"shard {self.shard}: {len(free)} objects began without an answer of shard {names}: they may be"
            f" PENDING, and checked there too; {len(running)} wait"
        )
        log.warning("moved shard=%d objects=%d unanswered=%s waiting=%d", self.shard, len(free), names, len(running))
        return free

    def confirm(self, roster: Roster, begun: Iterable[Key], now: Now) -> list[Call]:
        """Have the owners before forget what is durable here: of `begun`, what is no longer held."""
        if not self._given or now.mono < self._tell_mono:
            return []
        self._tell_mono = now.mono + TELL_S
        owners = {p.id: p.scheduler for p in roster.shards}
        here = frozenset(begun)
        calls = []
        for shard, given in list(self._given.items()):
            keys = tuple(key for key in given if key in here)[:PAGE]
            if shard not in owners:
                del self._given[shard]
            elif keys and owners[shard]:
                message = DropMoved(self.shard, shard, keys)
                calls.append(Call(owners[shard], message, ANSWER_S, lane=f"moved/{self.shard}/{shard}"))
        return calls

    def confirmed(self, sent: DropMoved, answer: Message) -> None:
        """Take the answer to that."""
        given = self._given.get(sent.of)
        if given is None or not isinstance(answer, Done):
            return
        for key in sent.keys:
            given.pop(key, None)
        if not given:
            del self._given[sent.of]

    def _page(self, asked: _Asked) -> tuple[Key, ...]:
        return self._held[asked.page * PAGE : (asked.page + 1) * PAGE]
