"""The recorded configuration and commands, run through a whole scheduler, and what its broker stream leaves."""

import json
from pathlib import Path

import msgspec

from daemons.config.load import load
from daemons.model.objects import ShardBody
from daemons.modules.livestatus.logbook import LogBook
from daemons.modules.livestatus.store import Store
from daemons.net.files import read
from daemons.roles.role import Wait
from daemons.wire.codec import decode_delta
from daemons.wire.messages import Broks, Submit, Submitted, TakeBroks
from tests.roles.stage import WALL, Stage
from tests.roles.test_scheduler_golden import MAIN

GOLDEN = Path(__file__).parents[4] / "shared" / "golden"
CASES = GOLDEN / "livestatus-golden.jsonl"
OBJECTS = GOLDEN / "configs" / "ls-a" / "objects.cfg"
NO_GOLDEN = "the golden data is not beside the checkout"


def body(folder: Path, objects: Path = OBJECTS) -> ShardBody:
    """The shard that a configuration makes."""
    main = folder / "main.cfg"
    text = MAIN.format(objects=objects, soft="0").replace("interval_length=1\n", "interval_length=60\n")
    main.write_text(text.replace("log_external_commands=0\nlog_passive_checks=0\n", ""))
    (_, data), *_ = load([str(main)], read).shards
    return msgspec.msgpack.decode(data, type=ShardBody)


class Seeded(Stage):
    """A scheduler that ran the recorded commands, and a store fed from its stream of deltas."""

    def __init__(self, shard: ShardBody, commands: list[str]) -> None:
        super().__init__(shard)
        self.start()
        self.live = Store()
        self.live.configure(shard)
        self.live.log = LogBook()
        self.told = 0
        self.position = (False, 0, 0)
        for command in commands:
            self.tell(command)
        self.run(3.0)
        self.pull()

    def tell(self, command: str) -> None:
        now = WALL + self.mono
        for word in ("-10", "+7200", "+3600", "+10800"):
            command = command.replace(f"@now{word};", f"{int(now + int(word))};")
        self.told += 1
        items = (Submitted(f"c{self.told}", f"[{int(now)}] {command}", now),)
        answer = self.schedulers["one"].handle(Submit("recv", items), self.now)
        assert isinstance(answer, Wait) or answer.refused or answer.foreign, command
        self.run(0.1)

    def pull(self) -> None:
        """Take all that the owner has for a broker that wants states."""
        for _ in range(50):
            known, epoch, n = self.position
            asked = TakeBroks("brok", "brok-i", 1, known, epoch, n, 0.0, True)
            answer = self.schedulers["one"].handle(asked, self.now)
            if not isinstance(answer, Broks) or not answer.deltas:
                return
            for data in answer.deltas:
                delta = decode_delta(data)
                self.live.take(delta)
                self.live.log.take([delta])
                self.position = (True, delta.epoch, delta.n)


def commands() -> list[str]:
    found: list[str] = json.loads((GOLDEN / "livestatus-seed.json").read_text())["ls-a"]
    return found
