"""What must come true once the faults are over: I4 and liveness, and that nothing was lost or doubled."""

from collections import Counter

from daemons.model.status import HARD, Status
from daemons.roles.poller import Poller
from daemons.roles.receiver import Receiver
from daemons.roles.shard.owned import OwnedShard
from tests.sim.checkers import LEASE, Checker, holders
from tests.sim.cluster import KEYS, World
from tests.sim.sender import Given, Sender

FRESH_S = 12.0  # twice an interval and the way to a poller and back
HANDED_S = 6.0  # a result is with its owner, and durable there


def owner(world: World) -> OwnedShard | None:
    """Return the shard as its one owner has it, None unless there is exactly one."""
    found = [
        seat.owned
        for _, role in world.schedulers()
        for seat in role.seats.values()
        if seat.owned is not None
    ]
    return found[0] if len(found) == 1 else None


def converged(world: World) -> str:
    """Return why the cluster has not settled on the truth, "" when it has."""
    leaders, owning = holders(world, "arbiter"), holders(world, LEASE)
    if len(leaders) != 1 or len(owning) != 1:
        leading = [(node.name, epoch) for node, epoch in leaders]
        return f"I4 leaders {leading}, owners {[(node.name, epoch) for node, epoch in owning]}"
    owned = owner(world)
    if owned is None:
        return "I4 the owner is not active"
    for key in KEYS:
        if why := _untrue(world, owned.state.items[key].status):
            return why
    if owned.journal.durability != "two servers":
        return f"durability: {owned.journal.durability}"
    if owned.outbox.open:
        return f"{owned.outbox.open} notifications have not ended"
    for node in world.sim.nodes.values():
        match node.role:
            case None:
                return f"{node.name} does not run"
            case Poller(kept=kept) if kept > 32:
                return f"{node.name} keeps {kept} results"
            case Receiver(_pending=pending) if pending:
                return f"{node.name} has {len(pending)} commands in its spool"
    return ""


def _untrue(world: World, status: Status) -> str:
    broken = status.key in world.broken
    if not status.checked:
        return f"{status.key} was not checked"
    if (status.state != 0) != broken:
        return f"{status.key} is {status.state}, the truth is {'broken' if broken else 'well'}"
    if status.state_type != HARD:
        return f"{status.key} is still soft"
    run = (status.key, status.applied_epoch, status.applied_seq)
    age_s = world.sim.now_s - world.checker.run_at_s[run]
    return f"{status.key} was last checked {age_s:.1f} s ago" if age_s > FRESH_S else ""


def wrong(world: World, sender: Sender) -> list[str]:
    """Return what was lost, doubled or never told, once the cluster has settled."""
    owned = owner(world)
    assert owned is not None
    statuses = {key: item.status for key, item in owned.state.items.items()}
    checker = world.checker
    found = untold(world, statuses) + unwritten(checker) + unrun(checker)
    found += unsettled(checker, world)
    written = Counter(line.text for file in world.ledger.files.values() for line in file)
    for given in sender.given.values():
        found += misapplied(world.checker, given, statuses, written)
    return found


def untold(world: World, statuses: dict[str, Status]) -> list[str]:
    """Return hard problems that nobody was told of, though somebody should have been."""
    commands = [ran.command for ran in world.ledger.ran]
    found = []
    for key in sorted(world.broken):
        status = statuses[key]
        host = key.partition(";")[0]
        if (";" in key and statuses[host].state != 0) or status.ack is not None:
            continue  # told of the host instead, or not at all
        if status.notification_number == 0:
            found.append(f"I7 {key}: no notification planned")
        elif not any(c.startswith(f"tell {key} PROBLEM") for c in commands):
            found.append(f"I7 {key}: planned, never run")
    return found


def unwritten(checker: Checker) -> list[str]:
    """Return durable log lines that no broker has: none outgrows its ring here, so no gap excuses them."""
    return [
        f"I9 the lines of {place} are in no broker's file"
        for place in sorted(checker.keeping.lines)
        if place not in checker.fed_lines
        and f"l/{place[0]}.{place[1]}" not in checker.keeping.lost
    ]


def unrun(checker: Checker) -> list[str]:
    """Return notifications that were on two servers, or in a reactionner's hands, and never ran."""
    given = {key[2:]: key for key in checker.keeping.promised if key.startswith("a/")}
    return [
        f"I7 notification {name[:8]} never ran, given or planned by {checker.keeping.promised[key].by}"
        for name, key in sorted(given.items())
        if name not in checker.ran and key not in checker.keeping.lost
    ]


def unsettled(checker: Checker, world: World) -> list[str]:
    """Return results that a poller has had for long and was never told to forget, or forgot by itself."""
    nodes = world.sim.nodes
    return [
        f"I6 result {run} of {poller} reached no owner"
        for run, (poller, life) in checker.handed.items()
        if run not in checker.settled
        and nodes[poller].life == life
        and world.sim.now_s - checker.run_at_s[run] > HANDED_S
    ]


def misapplied(
    checker: Checker, given: Given, statuses: dict[str, Status], written: Counter[str]
) -> list[str]:
    """Return whether a command was not applied exactly once."""
    status, name = statuses[given.key], given.id
    lines = sum(count for text, count in written.items() if text.endswith(f";{name}"))
    times = 0
    burnt = given.accepted in checker.world.burnt  # what its receiver had was on one server only
    match given.kind:
        case "comment" | "ack":
            times = sum(comment.text == name for comment in status.comments)
        case "downtime":
            times = sum(d.command_id == name for d in status.downtimes)
        case "custom":
            runs = [r for r in checker.ran.values() if r[0].command.endswith(f" {name}")]
            times = sum(not all(ran.tagged for ran in r) for r in runs) or min(1, len(runs))
        case "passive":
            times = min(1, lines)
    if times > 1 and given.kind == "custom":
        return [f"I7 {given.line!r} ({name}) was told under {times} ids"]
    if times > 1:
        return [f"I8 {given.line!r} ({name}) was applied {times} times"]
    if not given.accepted:
        return [f"I8 {given.line!r} ({name}) was never accepted"]
    lost = f"x/{name}" in checker.keeping.lost
    excused = lost or burnt or name in checker.refused or given.kind == "ack"
    if times == 0 and not excused:
        return [f"I8 {given.line!r} ({name}) was accepted and never applied"]
    return []
