"""A standby's copy of a shard: what its owner would leave behind if it died now.

The one thing to know: the copy is kept in memory, which is on another server than the owner, and goes to
this server's own store a little later; the owner's position `(epoch, n)` says how good it is.
"""

import msgspec

from daemons.model.clock import Now
from daemons.model.cluster import Epoch
from daemons.roles.role import Call
from daemons.wire.messages import Copied, Delta, Fenced, Message, Replicate, Save

SAVE_S = 1.0  # between two saves of the copy
TIMEOUT_S = 5.0
_decode = msgspec.msgpack.Decoder(Delta).decode


class ShardCopy:
    """Records of one shard as its owner last sent them."""

    def __init__(self, shard: int) -> None:
        """Nothing has been sent yet."""
        self.shard = shard
        self.records: dict[str, bytes] = {}
        self.epoch: Epoch = 0  # position of the copy; 0 = there is none
        self.n = 0
        self.highest: Epoch = 0  # newest owner heard of
        self._parts: dict[int, dict[str, bytes]] = {}
        self._parts_of: tuple[Epoch, int] = (0, 0)
        self._unsaved: dict[str, None] = {}
        self._whole = False  # the next save replaces what the store has
        self._saving: Save | None = None
        self._due_mono = 0.0

    def take(self, sent: Replicate) -> Copied | Fenced:
        """Keep what an owner sent. Answers where the copy stands; an older owner is fenced."""
        if sent.epoch < self.highest:
            return Fenced(f"shard/{self.shard}", self.highest)
        self.highest = sent.epoch
        if sent.whole:
            self._take_part(sent)
        elif (self.epoch, self.n) == (sent.epoch, sent.after):
            self._apply(_decode(sent.delta))
        return Copied(self.shard, self.epoch, self.n)

    def keep(self, records: dict[str, bytes], epoch: Epoch, n: int) -> None:
        """Take over as copy what this scheduler itself owned until now."""
        self.records, self.epoch, self.n = records, epoch, n
        self.highest = max(self.highest, epoch)
        self._parts, self._unsaved, self._whole = {}, {}, False

    def clear(self) -> None:
        """Let go of the copy: it has been taken up by an owner here."""
        self.records, self.epoch, self.n = {}, 0, 0
        self._parts, self._unsaved, self._whole = {}, {}, False

    def tick(self, now: Now) -> list[Call]:
        """Return the save of what came since the last one, when it is due."""
        if self._saving is not None or now.mono < self._due_mono:
            return []
        if not (self._unsaved or self._whole):
            return []
        self._due_mono = now.mono + SAVE_S
        keys = self.records if self._whole else self._unsaved
        changed = {key: self.records[key] for key in keys if key in self.records}
        removed = tuple(key for key in keys if key not in self.records)
        self._saving = Save(
            self.shard, self.epoch, self.n, changed, removed, whole=self._whole, local=True
        )
        self._unsaved, self._whole = {}, False
        return [Call("retention", self._saving, TIMEOUT_S, lane=f"copy/{self.shard}")]

    def saved(self, save: Save, answer: Message, failed: bool) -> None:
        """Take the outcome of a save; what failed goes with the next one."""
        self._saving = None
        if failed and self.epoch:
            self._whole = self._whole or save.whole
            self._unsaved.update(dict.fromkeys((*save.changed, *save.removed)))

    def _take_part(self, sent: Replicate) -> None:
        of = (sent.epoch, sent.n)
        if of != self._parts_of:
            self._parts, self._parts_of = {}, of
        self._parts[sent.part] = _decode(sent.delta).changed
        if len(self._parts) < sent.parts:
            return
        self.records = {k: v for i in range(sent.parts) for k, v in self._parts[i].items()}
        self.epoch, self.n = of
        self._parts, self._unsaved, self._whole = {}, {}, True

    def _apply(self, delta: Delta) -> None:
        self.records.update(delta.changed)
        self._unsaved.update(dict.fromkeys(delta.changed))
        for key in delta.removed:
            self.records.pop(key, None)
            self._unsaved[key] = None
        self.epoch, self.n = delta.epoch, delta.n
