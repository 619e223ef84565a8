"""One seed in two acts: faults, then healing; nothing wrong may happen, and all must come right."""

from tests.sim.checkers import Checker, Violation
from tests.sim.cluster import Setup, World
from tests.sim.ending import converged, owner, wrong
from tests.sim.faults import Faults
from tests.sim.language import CALM_S, Language
from tests.sim.sender import Sender

HEALED_S = 12.0  # the last pauses end, a server that was off boots
CURED_S = 30.0
QUIET_S = 8.0  # what has been said by then is written, told, applied


class History:
    """What one seed did."""

    def __init__(self, seed: int, setup: Setup = Setup()) -> None:  # frozen
        self.seed = seed
        self.setup = setup
        self.world = World(seed, setup)
        self.checker = Checker(self.world)
        self.sender = Sender(self.world, setup.faults_s)
        self.language = Language(self.world, self.sender) if setup.language else None
        self.checker.language = self.language

    def run(self) -> "History":
        """Run both acts. Raises Violation."""
        world, sim, setup = self.world, self.world.sim, self.setup
        world.begin()
        Faults(world, setup.faults_s)
        sim.run(setup.faults_s + HEALED_S, self.checker)
        self._settle(setup.faults_s + setup.settle_s)
        if self.language is not None:
            self._cure(self.language)
        sim.run(sim.now_s + QUIET_S, self.checker)
        spoken = self.language.wrong() if self.language is not None else []
        for fault in wrong(world, self.sender) + spoken:
            raise Violation(fault)
        return self

    def _cure(self, language: Language) -> None:
        """Let the problems of the language stand for a while, then end. Raises Violation."""
        sim = self.world.sim
        sim.run(sim.now_s + CALM_S, self.checker)
        owned = owner(self.world)
        for fault in language.standing(owned) if owned is not None else ():
            raise Violation(fault)
        language.cure()
        self._settle(sim.now_s + CURED_S)

    def _settle(self, end_s: float) -> None:
        """Wait until all has come right. Raises Violation."""
        sim, began_s = self.world.sim, self.world.sim.now_s
        while sim.now_s < end_s and self._unsettled():
            sim.run(sim.now_s + 1.0, self.checker)
        if why := self._unsettled():
            raise Violation(f"L not settled after {end_s - began_s:.0f} s: {why}")

    def _unsettled(self) -> str:
        why = converged(self.world)
        owned = owner(self.world)
        return why if why or owned is None or self.language is None else self.language.settle(owned)

    def story(self, lines: int = 70) -> str:
        """Return the last events, and how to see them all."""
        last = "\n".join(self.world.sim.trace[-lines:])
        return f"{last}\nagain: {self.again}"

    @property
    def again(self) -> str:
        """The command that replays it."""
        setup, plain = self.setup, Setup()
        words = [f"python -m tests.sim {self.seed}"]
        if setup.servers != plain.servers:
            words.append(f"--servers {setup.servers} --policy {setup.split_policy}")
        if setup.drift != plain.drift:
            words.append(f"--drift {setup.drift}")
        if setup.lease_s != plain.lease_s:
            words.append(f"--lease {setup.lease_s}")
        words += [f"--fault {kind}" for kind in setup.kinds]
        words += [f"--without {name}" for name in sorted(setup.without)]
        words += ["--only"] * setup.only + ["--no-shared-store"] * (not setup.shared_store)
        words += ["--language"] * setup.language
        return " ".join(words)


def run(seed: int, setup: Setup = Setup()) -> History:  # frozen
    """Run `seed`. Raises Violation with the story."""
    history = History(seed, setup)
    try:
        return history.run()
    except Violation as error:
        raise Violation(f"seed {seed}: {error}\n{history.story()}") from None
