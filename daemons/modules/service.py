"""The broker's "modules" service: gives every module each delta once, and stores how far each came.

Positions and marks are one small file, replaced atomically after the modules flushed. A crash before
that replaces nothing: the modules are cut back to their marks at the start, and the same comes again.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, ValidationError, json

from daemons.modules.api import Mark, Module, ModuleFailed
from daemons.wire.codec import BadMessage, decode_delta
from daemons.wire.messages import Delta, Failed, Fed, Feed, Message

Position = tuple[int, int]  # (epoch, n) of the last delta a module has flushed


class Kept(Struct):
    """What is stored of one module."""

    positions: dict[int, Position] = {}  # by shard
    mark: Mark | None = None


class BrokerModules:
    """Feeds `modules`, by name; their positions live in the file `path`."""

    def __init__(self, modules: Mapping[str, Module], path: Path) -> None:
        """Resume every module at its stored mark. Raises OSError.

        A module that is new here goes on where the others are: it has no past to catch up with.
        """
        self._modules = dict(modules)
        self._path = path
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
        """Return by shard the position that every module has reached."""
        reached: dict[int, Position] = {}
        for kept in self._kept.values():
            for shard, position in kept.positions.items():
                reached[shard] = min(position, reached.get(shard, position))
        return reached

    def apply(self, message: Message) -> Message:
        """Give each module what it has not had of a `Feed`; Fed once all of it is stored.

        After Failed the same feed may come again: modules that had it are not given it twice.
        """
        assert isinstance(message, Feed)
        feed = message
        try:
            deltas = [decode_delta(data) for data in feed.deltas]
        except BadMessage as error:
            return Failed(str(error))
        upto = (feed.epoch, feed.n)
        failures = []
        for name, module in self._modules.items():
            kept = self._kept[name]
            try:
                if feed.n < 0:  # a page of a snapshot: states only, and no position to go on from
                    if module.states:
                        module.take(deltas)
                elif upto > kept.positions.get(feed.shard, (0, -1)):
                    self._give(module, kept, feed, deltas)
                    kept.mark = module.flush()
                    kept.positions[feed.shard] = upto
            except (OSError, ModuleFailed) as error:
                failures.append(f"{name}: {error}")
                self._rewind(module, kept)
        try:
            self._store()
        except OSError as error:
            failures.append(f"{self._path}: {error}")
        if failures:
            return Failed("; ".join(failures))
        return Fed(feed.shard, feed.epoch, feed.n, sum(len(delta.logs) for delta in deltas))

    def close(self) -> None:
        """Close all modules."""
        for module in self._modules.values():
            module.close()

    def _give(self, module: Module, kept: Kept, feed: Feed, deltas: Sequence[Delta]) -> None:
        had = kept.positions.get(feed.shard, (0, -1))
        fresh = [delta for delta in deltas if (delta.epoch, delta.n) > had]
        if feed.gap:
            module.gap(feed.shard)
        if fresh:
            module.take(fresh)

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
