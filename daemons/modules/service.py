"""The broker's "modules" service: gives every module each delta once, and stores how far each came.

Positions and marks are one small file, replaced atomically after the modules flushed. A crash before
that replaces nothing: the modules are cut back to their marks at the start, and the same comes again.
A module that fails holds up no other: what it does not take waits for it on disk (backlog.py). Only
when all of them fail it stays with the scheduler.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, ValidationError, json

from daemons.modules.api import Mark, Module, ModuleFailed
from daemons.modules.backlog import Backlog
from daemons.wire.codec import BadMessage, decode_delta
from daemons.wire.messages import Delta, Failed, Fed, Feed, Message

RETRY_S = 5.0  # a module that failed is left alone for so long

Position = tuple[int, int]  # (epoch, n) of the last delta a module has flushed


class Kept(Struct):
    """What is stored of one module."""

    positions: dict[int, Position] = {}  # by shard
    mark: Mark | None = None


class BrokerModules:
    """Feeds `modules`, by name; their positions live in the file `path`."""

    def __init__(
        self, modules: Mapping[str, Module], path: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Resume every module at its stored mark. Raises OSError.

        A module that is new here goes on where the others are: it has no past to catch up with.
        """
        self._modules = dict(modules)
        self._path = path
        self._monotonic = monotonic
        path.parent.mkdir(parents=True, exist_ok=True)
        self._backlog = Backlog(path.with_suffix(".backlog"))
        self._failing: dict[str, str] = {}  # module -> why
        self._retry: dict[str, float] = {}  # module -> not before, monotonic
        self._kept = self._load()
        start = self.positions()
        for name, module in self._modules.items():
            kept = self._kept.setdefault(name, Kept(dict(start)))
            module.resume(kept.mark)
            kept.mark = module.flush()
        self._store()  # the first mark must be there before the first line

    @property
    def states(self) -> bool:
        """Whether some module wants the changed records of the deltas."""
        return any(module.states for module in self._modules.values())

    def positions(self) -> dict[int, Position]:
        """Return by shard the position that every module has reached, or that waits for it here."""
        reached: dict[int, Position] = {}
        for name, kept in self._kept.items():
            for shard, position in (kept.positions | self._backlog.reached(name)).items():
                reached[shard] = min(position, reached.get(shard, position))
        return reached

    def apply(self, message: Message) -> Message:
        """Give each module what it has not had of a `Feed`; Fed once all of it is stored.

        After Failed the same feed may come again: modules that had it are not given it twice. A feed
        without deltas only tries again what waits.
        """
        assert isinstance(message, Feed)
        feed = message
        try:
            deltas = [decode_delta(data) for data in feed.deltas]
        except BadMessage as error:
            return Failed(str(error))
        refusing = [name for name in self._modules if not self._offer(name, feed, deltas)]
        troubles = [f"{name}: {self._failing[name]}" for name in refusing]
        try:
            if len(refusing) < len(self._modules):
                for name in refusing:
                    self._put_aside(name, feed)
            self._store()
        except (OSError, sqlite3.Error) as error:
            return Failed("; ".join((*troubles, f"{self._path}: {error}")))
        if troubles and len(refusing) == len(self._modules):
            return Failed("; ".join(troubles))
        failing = tuple(f"{name}: {why}" for name, why in self._failing.items())
        lines = sum(len(delta.logs) for delta in deltas)
        return Fed(feed.shard, feed.epoch, feed.n, lines, failing, self._backlog.count())

    def _offer(self, name: str, feed: Feed, deltas: Sequence[Delta]) -> bool:
        """Let a module catch up, then give it `feed`; return whether it has all of it."""
        waits = name in self._backlog.modules()
        if waits and self._monotonic() < self._retry.get(name, 0.0):
            return False
        try:
            if name in self._backlog.modules():
                for seq, earlier in self._backlog.waiting(name):
                    self._give(name, earlier, [decode_delta(data) for data in earlier.deltas])
                    self._store()  # the position first: what is dropped must not be asked for again
                    self._backlog.drop(name, seq)
            if feed.deltas or feed.gap:
                self._give(name, feed, deltas)
        except (OSError, ModuleFailed, BadMessage, sqlite3.Error) as error:
            self._failing[name] = str(error)
            self._retry[name] = self._monotonic() + RETRY_S
            self._rewind(self._modules[name], self._kept[name])
            return False
        self._failing.pop(name, None)
        return True

    def _give(self, name: str, feed: Feed, deltas: Sequence[Delta]) -> None:
        """Give a module what it has not had. Raises OSError, ModuleFailed."""
        module, kept = self._modules[name], self._kept[name]
        if feed.n < 0:  # a page of a snapshot: states only, and no position to go on from
            if module.states:
                module.take(deltas)
            return
        had = kept.positions.get(feed.shard, (0, -1))
        if (feed.epoch, feed.n) <= had:
            return
        fresh = [delta for delta in deltas if (delta.epoch, delta.n) > had]
        if feed.gap:
            module.gap(feed.shard)
        if fresh:
            module.take(fresh)
        kept.mark = module.flush()
        kept.positions[feed.shard] = (feed.epoch, feed.n)

    def _put_aside(self, name: str, feed: Feed) -> None:
        """Keep `feed` for a module that does not take it now, once. Raises sqlite3.Error."""
        if not (feed.deltas or feed.gap):
            return
        reached = (self._kept[name].positions | self._backlog.reached(name)).get(feed.shard, (0, -1))
        if feed.n < 0 or (feed.epoch, feed.n) > reached:
            self._backlog.add(name, feed)

    def close(self) -> None:
        """Close all modules."""
        for module in self._modules.values():
            module.close()
        self._backlog.close()

    def _rewind(self, module: Module, kept: Kept) -> None:
        """Undo half a feed, if the module can: it comes again."""
        try:
            module.resume(kept.mark)
        except (OSError, ModuleFailed):
            return  # it stays as it is; the start does this again

    # -- the file

    def _load(self) -> dict[str, Kept]:
        """What is stored. A file that cannot be read is a broker that starts anew, not a crash."""
        try:
            stored = json.decode(self._path.read_bytes(), type=dict[str, Kept])
        except FileNotFoundError:
            return {}
        except (ValidationError, ValueError):
            self._path.rename(self._path.with_suffix(".unreadable"))
            return {}
        return {name: kept for name, kept in stored.items() if name in self._modules}

    def _store(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with open(new, "wb") as file:
            file.write(json.encode(self._kept))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
