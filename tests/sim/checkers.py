"""What must hold at every instant, and what must come true once the faults are over."""

from collections import defaultdict

from daemons.model.status import Status
from daemons.roles.arbiter import Arbiter
from daemons.roles.scheduler import Scheduler
from tests.sim.cluster import KEYS, World

LEASE = "shard/1"


class Violation(AssertionError):
    """An invariant was broken: its name first."""


def holders(world: World, lease: str) -> list[tuple[str, int]]:
    """Daemons that may act under `lease` at this instant: (name, epoch)."""
    found = []
    for name, node in world.sim.nodes.items():
        role = node.role
        if isinstance(role, Scheduler | Arbiter) and node.paused_until_s <= world.sim.now_s:
            epoch = role.standing.holds(lease, node.server.now())
            if epoch:
                found.append((name, epoch))
    return found


class Checker:
    """Called after every action; raises Violation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.issuers: dict[tuple[str, int], str] = {}
        self.highest: dict[str, int] = defaultdict(int)
        self.two_sided = len(world.cluster.servers) == 2 and world.terms.split_policy == "takeover"
        self.told = 0
        self.runs: dict[str, list[bool]] = defaultdict(list)  # id: tagged, in order
        self.owners: list[tuple[float, str]] = []

    def __call__(self) -> None:
        world = self.world
        for lease in ("arbiter", LEASE):
            now_holding = holders(world, lease)
            if len(now_holding) > 1 and not self.two_sided:
                raise Violation(f"I1 two holders of {lease}: {now_holding}")
            for name, epoch in now_holding:
                if self.issuers.setdefault((lease, epoch), name) != name:
                    raise Violation(f"I3 epoch {epoch} of {lease} held by {name} and {self.issuers[(lease, epoch)]}")
                if lease == LEASE and (not self.owners or self.owners[-1][1] != name):
                    self.owners.append((world.sim.now_s, name))
                    world.sim.note(f"{name} holds {lease} epoch {epoch}")
        if world.ledger.stale_runs:
            raise Violation(f"I2 stale order obeyed: {world.ledger.stale_runs[0]}")
        self._notifications()

    def _notifications(self) -> None:
        told = self.world.ledger.told
        while self.told < len(told):
            at, who, nid, tagged, command = told[self.told]
            self.told += 1
            if self.runs[nid] and not tagged:
                raise Violation(f"I7 {command!r} (id {nid[:8]}) ran again without a tag, on {who}")
            self.runs[nid].append(tagged)


def converged(world: World) -> str:
    """Return why the cluster has not settled on the truth, "" when it has."""
    leaders = holders(world, "arbiter")
    owners = holders(world, LEASE)
    if len(leaders) != 1 or len(owners) != 1:
        return f"I4 leaders {leaders}, owners {owners}"
    scheduler = world.role(owners[0][0])
    assert isinstance(scheduler, Scheduler)
    status = statuses(scheduler)
    if not status:
        return "the owner is not active yet"
    for key in KEYS:
        one = status.get(key)
        if one is None or not one.checked:
            return f"{key} was not checked"
        if (one.state != 0) != (key in world.broken):
            return f"{key} is {one.state}, the truth is {'broken' if key in world.broken else 'well'}"
        if one.state_type == 0:
            return f"{key} is still soft"
        if world.sim.now_s - (one.last_check_wall - 1_800_000_000.0) > 12.0:
            return f"{key} was last checked {one.last_check_wall - 1_800_000_000.0:.1f}"
    return ""


def statuses(scheduler: Scheduler) -> dict[str, Status]:
    """The owner's memory, {} when it is not active."""
    return scheduler.statuses(1)


def untold(world: World, status: dict[str, Status]) -> list[str]:
    """Hard problems that nobody was ever told of, though somebody should have been."""
    commands = [command for _, _, _, _, command in world.ledger.told]
    found = []
    for key in sorted(world.broken):
        one = status[key]
        host = key.partition(";")[0]
        if ";" in key and status[host].state != 0:
            continue  # told of the host instead
        if one.state_type == 1 and one.notification_number == 0:
            found.append(f"{key}: no notification planned")
        elif not any(c.startswith(f"tell {key} PROBLEM") for c in commands):
            found.append(f"{key}: planned, never run")
    return found


def log_faults(world: World) -> list[str]:
    """Lines that a broker wrote twice, or out of order."""
    found = []
    for broker, lines in world.ledger.lines.items():
        positions = [(epoch, n) for epoch, n, _ in lines]
        if positions != sorted(positions):
            found.append(f"{broker}: out of order")
        by_text: dict[tuple[int, int, str], int] = defaultdict(int)
        for line in lines:
            by_text[line] += 1
        found += [f"{broker}: {line} {count} times" for line, count in by_text.items() if count > 1]
    return found
