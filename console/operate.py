"""The commands that change who does what: plan, failover, failback, pause, resume, drill.

Each shows first what it will do, asks, does it, and says how long each step took. The leader decides;
here it is only asked.
"""

import getpass
import secrets
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click
import msgspec

from console.leader import Leader, NobodyLeads
from console.operated import as_dict, lines, seconds, victim
from console.target import Target
from console.words import (
    GOOD,
    NOBODY,
    NOT_GOOD,
    NotGood,
    Wrong,
    as_json_option,
    cluster_target,
    which_cluster,
)
from daemons.wire.operations import Operate, Operation, Operations

if TYPE_CHECKING:
    from console.facts import Snapshot
    from daemons.model.cluster import Cluster

KEPT_S = 5.0  # for a majority of the keepers to hold a pause
PATIENCE_S = 90.0  # for an operation: longer than the leader's own

reason_option = click.option("--reason", default="", metavar="TEXT", help="For the log and whoever finds it.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
Command = Callable[..., Any]


def leader_of(where: Target) -> Leader:
    """Return the arbiters of a cluster, to be asked with its keys."""
    from daemons.cli.reach import operator_peer

    arbiters = sorted(
        (d for d in where.bundle.cluster.daemons if d.role == "arbiter"), key=lambda d: d.spare
    )
    return Leader([a.name for a in arbiters], lambda name: operator_peer(where.bundle, where.keys, name))


def order(act: str, **more: Any) -> Operate:
    """Return an order with an id of its own, by whoever types."""
    return Operate(id=secrets.token_hex(6), act=act, actor=_actor(), **more)


def carried_out(leader: Leader, wanted: Operate, tell: Callable[[Operation], None]) -> Operation:
    """Return what became of `wanted` in the end. Raises NobodyLeads."""
    begun = leader.operate(wanted)
    return leader.outcome(begun, PATIENCE_S, tell)


def exit_code_of(operation: Operation) -> int:
    """Return 0 when it was done or may be done, else 1."""
    return GOOD if operation.state in ("done", "planned") else NOT_GOOD


@click.command()
@click.argument("what")
@which_cluster
@as_json_option
def plan(what: str, files: tuple[str, ...], server: str, workdir: str, as_json: bool) -> None:
    """Say what would move where, and what could be lost, if a server or a daemon died. Changes nothing.

    \b
    shinken plan "server1 dies"
    shinken plan "scheduler-master dies" --json
    """
    try:
        name = victim(what)
    except ValueError as error:
        raise Wrong(str(error)) from error
    where = cluster_target(files, server, workdir)
    _known_name(where.bundle.cluster, name)
    operation = _asked(leader_of(where), order("plan", name=name))
    _show(operation, as_json)
    lost = any(not move.target for move in operation.moves) or operation.unsafe
    sys.exit(NOT_GOOD if lost else exit_code_of(operation))


@click.command()
@click.argument("name")
@click.option("--to", default="", metavar="NAME", help="The daemon that is to take it; else whoever can.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--force", is_flag=True, help="Also where something may be lost; asks for the name to be typed.")
@yes_option
@reason_option
@which_cluster
@as_json_option
def failover(
    name: str, to: str, dry_run: bool, force: bool, yes: bool, reason: str, files: tuple[str, ...],
    server: str, workdir: str, as_json: bool,
) -> None:  # fmt: skip
    """Move the work of a daemon, or of everything on a server, to others, in order and without loss.

    It stays there until `shinken failback`. With --force also off a daemon that cannot be asked any more.

    \b
    shinken failover scheduler-master --dry-run
    shinken failover scheduler-master --to scheduler-spare --reason "new memory"
    shinken failover server1 --yes --reason "kernel update"
    """
    where = cluster_target(files, server, workdir)
    _known_name(where.bundle.cluster, name)
    if to:
        _known_name(where.bundle.cluster, to)
    leader = leader_of(where)
    wanted = order("failover", name=name, to=to, reason=reason, force=force)
    _do(leader, wanted, dry_run=dry_run, yes=yes, as_json=as_json, typed=name if force else "")


@click.command()
@click.argument("name", required=False, default="")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@yes_option
@reason_option
@which_cluster
@as_json_option
def failback(
    name: str, dry_run: bool, yes: bool, reason: str, files: tuple[str, ...], server: str,
    workdir: str, as_json: bool,
) -> None:  # fmt: skip
    """Give work back to the preferred masters now: all of it, or that of one daemon or server.

    \b
    shinken failback
    shinken failback scheduler-master --yes
    """
    where = cluster_target(files, server, workdir)
    if name:
        _known_name(where.bundle.cluster, name)
    wanted = order("failback", name=name, reason=reason)
    _do(leader_of(where), wanted, dry_run=dry_run, yes=yes, as_json=as_json)


@click.command()
@click.option("--for", "time", required=True, metavar="TIME", help="How long at most: 30m, 2h, 1h30m.")
@click.option("--reason", required=True, metavar="TEXT", help="For whoever finds it.")
@which_cluster
@as_json_option
def pause(
    time: str, reason: str, files: tuple[str, ...], server: str, workdir: str, as_json: bool
) -> None:
    """Let nothing be taken over for a while: what dies stays dead until the end, or `shinken resume`.

    A planned `shinken failover` still works.

    \b
    shinken pause --for 2h --reason "switch replaced in rack 4"
    """
    try:
        for_s = seconds(time)
    except ValueError as error:
        raise Wrong(str(error)) from error
    where = cluster_target(files, server, workdir)
    operation = _asked(leader_of(where), order("pause", for_s=for_s, reason=reason))
    if operation.state == "done" and not _kept_by_most(where):
        click.echo("shinken: fewer than half of the keepers know of the pause yet: something may still be taken over", err=True)
    _show(operation, as_json)
    sys.exit(exit_code_of(operation))


@click.command()
@which_cluster
@as_json_option
def resume(files: tuple[str, ...], server: str, workdir: str, as_json: bool) -> None:
    """End the pause: what died meanwhile is taken over now.

    \b
    shinken resume
    """
    where = cluster_target(files, server, workdir)
    leader = leader_of(where)
    try:
        operation = leader.operate(order("resume"))
    except NobodyLeads as error:  # the voters let nobody lead while they are paused
        ended = _end_at_the_keepers(where)
        if not ended:
            _nobody(str(error))
        click.echo(f"nobody leads: the pause is ended at the keepers of {', '.join(ended)}; waiting for a leader", err=True)
        operation = resumed(leader)
    _show(operation, as_json)
    sys.exit(exit_code_of(operation))


def resumed(leader: Leader) -> Operation:
    """Return what a leader that has just begun says to `resume`: it has read by then that there was a pause."""
    end = time.monotonic() + PATIENCE_S / 6
    while True:
        operation = _asked(leader, order("resume"))
        if operation.state != "refused" or time.monotonic() >= end:
            return operation
        time.sleep(0.3)


def _kept_by_most(where: Target) -> bool:
    """Wait until a majority of the keepers holds the pause, for KEPT_S: the leader tells them after it answered."""
    from console.feed import QUESTION, keepers
    from daemons.net.client import Refused, Unreachable
    from daemons.wire.codec import BadMessage, decode
    from daemons.wire.messages import Census

    if where.bundle.cluster.settings.get("board") == "etcd":
        return True  # the engine holds it, not the keepers
    waiting = keepers(where.bundle, where.keys)
    enough = len(waiting) // 2 + 1
    holding = 0
    end = time.monotonic() + KEPT_S
    while holding < enough and time.monotonic() < end:
        for name, keeper in list(waiting.items()):
            try:
                said = decode(keeper.ask(QUESTION, 1.0))
            except (Unreachable, Refused, BadMessage):
                continue
            if isinstance(said, Census) and said.pause is not None:
                holding += 1
                waiting.pop(name).close()
        if holding < enough:
            time.sleep(0.05)
    for keeper in waiting.values():
        keeper.close()
    return holding >= enough


def _end_at_the_keepers(where: Target) -> list[str]:
    """End the pause at every keeper that answers; return their servers."""
    from console.feed import keepers
    from daemons.net.client import Refused, Unreachable
    from daemons.wire.board import Paused, Resume
    from daemons.wire.codec import BadMessage, decode, encode

    ended = []
    for name, keeper in keepers(where.bundle, where.keys).items():
        try:
            if isinstance(decode(keeper.ask(encode(Resume(_actor())), 2.0)), Paused):
                ended.append(name)
        except (Unreachable, Refused, BadMessage):
            continue
        finally:
            keeper.close()
    return ended


@click.command()
@click.argument("name")
@click.option("--kill", "way", flag_value="kill", help="Kill the process instead of moving its work away in order.")
@click.option("--drain", "way", flag_value="drain", default=True, help="Move its work away and back (default).")
@yes_option
@which_cluster
@as_json_option
def drill(
    name: str, way: str, yes: bool, files: tuple[str, ...], server: str, workdir: str, as_json: bool
) -> None:
    """Try a failover for real, measure its phases, and bring everything back.

    \b
    shinken drill scheduler-master
    shinken drill server1 --yes --json > drill.json
    shinken drill poller-master --kill
    """
    from console import drill as drills
    from console.feed import collect, keepers

    where = cluster_target(files, server, workdir)
    cluster = where.bundle.cluster
    _known_name(cluster, name)
    verb = "Kill" if way == "kill" else "Move away, and back, the work of"
    if not yes and not click.confirm(f"{verb} {name} now, for real?", err=True):
        raise Wrong("nothing was done")

    def look() -> "Snapshot":
        return collect(cluster, keepers(where.bundle, where.keys))

    try:
        if way == "kill":
            drilled = drills.kill(name, where.bundle.server.name, look)
        else:
            drilled = drills.drain(name, leader_of(where), look, order, PATIENCE_S)
    except drills.CannotDrill as error:
        raise NotGood(f"no drill: {error}") from error
    except NobodyLeads as error:
        _nobody(str(error))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(drills.as_report(drilled))).decode())
    else:
        click.echo("\n".join(drills.report_lines(drilled)))
    sys.exit(GOOD if drilled.good else NOT_GOOD)


def going_on_of(where: Target) -> Operations | None:
    """Return what the leader says is going on, None when nobody leads or it may not be asked."""
    try:
        return leader_of(where).operations()
    except NobodyLeads:
        return None


def _do(
    leader: Leader, wanted: Operate, *, dry_run: bool, yes: bool, as_json: bool, typed: str = ""
) -> None:
    """Show, ask, do; end with the exit code. `typed`: what has to be typed to go on where it is unsafe."""
    planned = _asked(leader, msgspec.structs.replace(wanted, id=wanted.id + "-dry", dry_run=True))
    if dry_run or planned.state == "refused":
        _show(planned, as_json)
        sys.exit(exit_code_of(planned))
    if not as_json:
        click.echo("\n".join(lines(planned)))
    if typed and planned.unsafe:
        if as_json:
            click.echo("\n".join(f"! {text}" for text in planned.unsafe), err=True)
        said = click.prompt(f"Type {typed} to accept that", default="", show_default=False, err=True)
        if said.strip() != typed:
            raise Wrong("not typed: nothing was done")
    elif not yes and not click.confirm("Do that?", err=True):
        raise Wrong("nothing was done")
    try:
        operation = carried_out(leader, wanted, lambda _: None)
    except NobodyLeads as error:
        _nobody(str(error))
    _show(operation, as_json)
    sys.exit(exit_code_of(operation))


def _asked(leader: Leader, wanted: Operate) -> Operation:
    try:
        return leader.operate(wanted)
    except NobodyLeads as error:
        _nobody(str(error))


def _nobody(why: str) -> NoReturn:
    click.echo(f"shinken: {why}", err=True)
    sys.exit(NOBODY)


def _show(operation: Operation, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(as_dict(operation))).decode())
    else:
        click.echo("\n".join(lines(operation)), err=operation.state == "refused")


def _known_name(cluster: "Cluster", name: str) -> None:
    """Raise Wrong when no daemon and no server is called `name`."""
    servers = [s.name for s in cluster.servers]
    if cluster.daemon(name) is None and name not in servers and name not in [s.address for s in cluster.servers]:
        import difflib

        near = difflib.get_close_matches(name, [d.name for d in cluster.daemons] + servers, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; servers: {', '.join(servers)}"
        raise Wrong(f"no daemon and no server is called {name}{hint}")


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
