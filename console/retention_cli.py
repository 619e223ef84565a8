"""`shinken retention`: look into the stores, check them, take states out and bring them in."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from console.target import CannotAsk, bundle_of, workdir_of

if TYPE_CHECKING:
    from daemons.cli.stores import Kept, Opened
    from daemons.net.home import Bundle

Options = Callable[..., Any]
GOOD, NOT_GOOD, USAGE, NOBODY = 0, 1, 2, 3


class Mistake(click.ClickException):
    """A mistake of the user: its text, no traceback."""

    exit_code = USAGE

    def show(self, file: Any = None) -> None:
        """Write it the way all our commands do."""
        click.echo(f"shinken: {self.message}", err=True)


def _where(command: Options) -> Options:
    for option in (
        click.option("--store", "only", default="", metavar="NAME", help="Only this store, or those of this scheduler."),
        click.option("--workdir", default="", metavar="DIR", help="Work folder of a server of this machine."),
        click.option("--server", default="", metavar="NAME", help="Which server this is, where its addresses do not tell."),
        click.option("-c", "--config", "files", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Configuration file."),
    ):  # fmt: skip
        command = option(command)
    return command


_json = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group()
def retention() -> None:
    """Look into the retention stores, check them, take states out and bring them in.

    \b
    shinken retention inspect
    shinken retention verify && echo all is there
    shinken retention export states.jsonl
    shinken retention import states.jsonl
    shinken retention import --from nagios /var/lib/nagios/retention.dat
    """


@retention.command()
@_where
@_json
def inspect(files: tuple[str, ...], server: str, workdir: str, only: str, as_json: bool) -> None:
    """Show what each store has of each shard: position, records, age, damage.

    \b
    shinken retention inspect
    shinken retention inspect --store memcached-server1 --json
    """
    sys.exit(_look(files, server, workdir, only, as_json, verifying=False))


@retention.command()
@_where
@_json
def verify(files: tuple[str, ...], server: str, workdir: str, only: str, as_json: bool) -> None:
    """Read every record of every store; exit 1 if anything is lost or damaged, 3 if no store answers.

    \b
    shinken retention verify
    """
    sys.exit(_look(files, server, workdir, only, as_json, verifying=True))


@retention.command()
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True))
@_where
def export(file: IO[str], files: tuple[str, ...], server: str, workdir: str, only: str) -> None:
    """Write the newest complete copy of every shard to FILE (- = standard output), one JSON object a line.

    \b
    shinken retention export states.jsonl
    shinken retention export - | jq -r 'select(.value.ack) | .key'
    """
    from daemons.cli.stores import CannotMove
    from daemons.cli.stores import export as export_to

    bundle, opened, shards = _opened(files, server, workdir, only)
    try:
        with _bar("export", len(shards)) as step:
            counts = export_to(bundle.cluster, opened, shards, file, step)
    except (CannotMove, OSError) as error:
        raise Mistake(str(error)) from error
    for shard, records in counts.items():
        click.echo(f"shard {shard}: {records} records", err=True)


@retention.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@click.option("--from", "origin", type=click.Choice(["export", "nagios"]), default="export", help="What wrote FILE: `shinken retention export`, or Nagios or Naemon (retention.dat).")
@click.option("--force", is_flag=True, help="Also while schedulers run: they may overwrite it, or not.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken and left; change nothing.")
@_where
def import_(
    file: IO[str], origin: str, force: bool, dry_run: bool,
    files: tuple[str, ...], server: str, workdir: str, only: str,
) -> None:  # fmt: skip
    """Replace the states of all shards in the stores by those of FILE. Stop the schedulers before.

    \b
    shinken retention import --dry-run --from nagios /var/lib/nagios/retention.dat
    shinken retention import states.jsonl
    """
    from daemons.cli.configuration import read_configuration
    from daemons.cli.stores import CannotMove, placed, store

    bundle, opened, _ = _opened(files, server, workdir, only, write=not dry_run)
    if not (force or dry_run):
        _refuse_if_held(bundle)
    loaded = read_configuration(bundle.files)
    wrong = [str(c) for c in loaded.complaints if c.severity == "error"]
    if wrong:
        raise Mistake("\n".join(["the configuration is not good:", *wrong[:5]]))
    hosts, shards = _homes(loaded.shards)
    try:
        records, taken, skipped = _read(file, origin)
        by_shard, homeless = placed(records, hosts, shards)
        if homeless:
            skipped["objects that no shard of the configuration has"] = homeless
        written = {}
        if by_shard and not dry_run:
            with _bar("import", len(by_shard)) as step:
                written = store(bundle.cluster, opened, by_shard, step)
    except (CannotMove, ValueError) as error:
        raise Mistake(f"{file.name}: {error}") from error
    for what, count in sorted(taken.items()):
        click.echo(f"taken: {count} {what}")
    for what, count in sorted(skipped.items()):
        click.echo(f"left out: {count} × {what}")
    for label, count in written.items():
        click.echo(f"{label}: {count} records")
    for one in opened:
        if one.error:
            click.echo(f"not written: {one.label} {one.error}", err=True)
    if not by_shard or not (written or dry_run):
        raise Mistake("nothing of it belongs to this configuration" if not by_shard else "no store was written")


def _look(
    files: tuple[str, ...], server: str, workdir: str, only: str, as_json: bool, verifying: bool
) -> int:
    import msgspec

    from daemons.cli.stores import inspect as inspect_stores

    bundle, opened, shards = _opened(files, server, workdir, only)
    total = len(shards) * sum(1 for one in opened if one.store is not None)
    with _bar("reading", total) as step:
        found = list(inspect_stores(bundle.cluster, opened, shards, step))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"stores": found})).decode())
    else:
        click.echo("\n".join(_table(found)))
    if found and not any(kept.found or not kept.error for kept in found):
        return NOBODY
    return NOT_GOOD if verifying and any(k.damaged for k in found) else GOOD


def _table(found: "list[Kept]") -> Iterator[str]:
    wide = max((len(kept.store) for kept in found), default=5)
    yield f"{'store':<{wide}}  shard  epoch      n  records  pages  age      state"
    for kept in found:
        if kept.error:
            yield f"{kept.store:<{wide}}  {kept.error}"
            continue
        if not kept.found:
            yield f"{kept.store:<{wide}}  {kept.shard:>5}  nothing saved"
            continue
        age = "-" if kept.age_s is None else f"{kept.age_s:.0f} s"
        state = _state(kept)
        yield (
            f"{kept.store:<{wide}}  {kept.shard:>5}  {kept.epoch_n:>5}  {kept.n:>5}  {kept.records:>7}"
            f"  {kept.pages or '-':>5}  {age:<7}  {state}"
        )
        for note in kept.notes:
            yield f"{'':<{wide}}  ! {note}"


def _state(kept: "Kept") -> str:
    said = [
        f"{kept.missing} missing" if kept.missing else "",
        f"{kept.corrupt} corrupt" if kept.corrupt else "",
        f"{kept.unreadable} unreadable" if kept.unreadable else "",
        "came back empty, has only what changed since" if kept.partial else "",
    ]
    return ", ".join(word for word in said if word) or "complete"


def _read(file: IO[str], origin: str) -> tuple[dict[str, Any], dict[str, int], dict[str, int]]:
    """The records of the file, what was taken, what was left out. Raises CannotMove, NotRetention."""
    from daemons.cli.stores import read_lines, read_nagios

    if origin == "nagios":
        return read_nagios(file.read())
    lines, skipped = read_lines(file)
    return lines, {"records": len(lines)}, skipped


def _homes(cut: Any) -> tuple[dict[str, int], list[int]]:
    """By host the shard that has it, and all shards."""
    import msgspec

    from daemons.model.objects import ShardBody

    hosts: dict[str, int] = {}
    for shard, body in cut:
        for host in msgspec.msgpack.decode(body, type=ShardBody).hosts:
            hosts[host.name] = shard.id
    return hosts, [shard.id for shard, _ in cut]


def _opened(
    files: tuple[str, ...], server: str, workdir: str, only: str, write: bool = False
) -> "tuple[Bundle, list[Opened], list[int]]":
    from daemons.cli.stores import shards_of, stores_of
    from daemons.net.home import Home

    try:
        bundle = bundle_of(files, server, workdir)
        folder = Home(workdir_of(files or bundle.files, workdir)).spool
    except CannotAsk as error:
        raise Mistake(str(error)) from error
    opened = stores_of(bundle, Path(folder), only, write=write)
    if not opened:
        raise Mistake(f"no scheduler has a store called {only}" if only else "no scheduler has a store")
    return bundle, opened, shards_of(bundle.cluster, opened)


def _refuse_if_held(bundle: "Bundle") -> None:
    """Raise Mistake when a scheduler runs: what it has in memory would replace what is imported."""
    from console.feed import collect, keepers
    from daemons.cli.reach import Keys

    snapshot = collect(bundle.cluster, keepers(bundle, Keys(bundle)))
    running = [d.name for d in snapshot.daemons if d.role == "scheduler" and d.pid and d.is_live]
    if running:
        raise Mistake(
            f"{', '.join(running)} runs and would overwrite it: stop the servers (shinken stop), or --force"
        )


@contextmanager
def _bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty() or length < 2:
        with nullcontext():
            yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
