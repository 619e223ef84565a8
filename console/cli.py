"""The commands `shinken` and `shinken-console`: everything an operator types.

Exit codes: 0 good, 1 the cluster or configuration is not good, 2 usage, 3 nobody answered.
What is heavy is imported where it is used: `shinken status` has to be quick.
"""

import shutil
import sys
import threading

import click

from console.facts import Snapshot
from console.operate import drill, failback, failover, going_on_of, pause, plan, resume
from console.retention_cli import retention
from console.target import CannotAsk, Target, bundle_of, workdir_of
from console.voter import voter
from console.words import (
    GOOD,
    NOBODY,
    NOT_GOOD,
    NotGood,
    Wrong,
    as_json_option,
    which_cluster,
)
from console.words import cluster_target as _target
from daemons.wire.operations import Operations


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExit codes: 0 good, 1 the cluster or configuration is not good, 2 usage, 3 nobody answered.",
)
@click.version_option(package_name="shinken-ha", message="%(package)s %(version)s")
def main() -> None:
    """Monitoring for Nagios and Shinken configurations, highly available.

    \b
    Start this server:       shinken start -c etc/shinken.cfg -c etc/shinken-specific.cfg
    Who leads, who is dead:  shinken status
    Watch it live:           shinken-console
    Move work off a server:  shinken failover server1
    """


for _command in (plan, failover, failback, pause, resume, drill):
    main.add_command(_command)


@main.command()
@which_cluster
@click.option("--foreground", is_flag=True, help="Become the keeper instead of leaving one behind.")
def start(files: tuple[str, ...], server: str, workdir: str, foreground: bool) -> None:
    """Start the keeper of this server and its daemons; return when they run.

    \b
    shinken start -c etc/shinken.cfg -c etc/shinken-specific.cfg
    shinken start -c shinken.cfg --server server2 --workdir /tmp/server2
    """
    _start(files, server, workdir, foreground)


@main.command()
@which_cluster
def stop(files: tuple[str, ...], server: str, workdir: str) -> None:
    """End this server's daemons and its keeper; return when all have ended.

    \b
    shinken stop
    shinken stop --workdir /tmp/server2
    """
    sys.exit(_stop(files, workdir))


@main.command()
@which_cluster
def restart(files: tuple[str, ...], server: str, workdir: str) -> None:
    """Stop, then start, with the same files when none are given."""
    said: tuple[str, ...] = files
    named = server
    try:
        if not files:
            bundle = bundle_of((), "", workdir)
            said, named = bundle.files, server or bundle.server.name
    except CannotAsk as error:
        raise Wrong(str(error)) from error
    if code := _stop(files, workdir):
        sys.exit(code)
    _start(said, named, workdir, False)


@main.command()
@which_cluster
@as_json_option
@click.option("--dry-run", is_flag=True, help="Check and say what would change; change nothing.")
@click.option("--force", is_flag=True, help="Also when these files were not made from the version in force.")
def reload(
    files: tuple[str, ...], server: str, workdir: str, as_json: bool, dry_run: bool, force: bool
) -> None:
    """Put the files of this server in force in the whole cluster, without a gap.

    Nothing changes unless every file is good. Unchanged hosts and services are not touched.

    \b
    shinken reload --dry-run
    shinken reload
    shinken reload -c etc/shinken.cfg -c etc/shinken-specific.cfg
    """
    import msgspec

    from daemons.cli.committed import NobodyAnswers
    from daemons.cli.configuration import errors_in
    from daemons.cli.reload import Options
    from daemons.cli.reload import reload as put_in_force

    if files and (bad := errors_in(files)):
        for complaint in bad:
            click.echo(complaint, err=True)
        raise NotGood("the configuration is not good: nothing was changed")
    where = _target(files, server, workdir)
    options = Options(tuple(files), dry_run, force, workdir_of(files, workdir))
    say = (lambda line: click.echo(line, err=True)) if as_json else click.echo
    try:
        outcome = put_in_force(where.bundle, where.keys, options, say)
    except NobodyAnswers as error:
        click.echo(f"shinken: {error}", err=True)
        sys.exit(NOBODY)
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
    else:
        click.echo(outcome.text, err=outcome.code != GOOD)
    sys.exit(outcome.code)


@main.command()
@which_cluster
@as_json_option
@click.option("--write", "folder", default="", metavar="DIR", help="Write its files below DIR.")
def configuration(files: tuple[str, ...], server: str, workdir: str, as_json: bool, folder: str) -> None:
    """Show which configuration the cluster has committed, and whose it is; or write its files.

    \b
    shinken configuration
    shinken configuration --write /tmp/committed && diff -r /tmp/committed/etc/shinken /etc/shinken
    """
    from pathlib import Path

    import msgspec

    from daemons.cli.committed import Keepers, NobodyAnswers, told, write_files

    where = _target(files, server, workdir)
    try:
        committed = Keepers(where.bundle, where.keys).committed()
        if folder:
            write_files(committed, Path(folder), click.echo)
        elif as_json:
            click.echo(msgspec.json.encode(told(committed)).decode())
        else:
            for key, value in told(committed).items():
                click.echo(f"{key:10} {value}")
    except NobodyAnswers as error:
        click.echo(f"shinken: {error}", err=True)
        sys.exit(NOBODY)
    except OSError as error:
        raise Wrong(f"{error.filename}: {error.strerror}") from error


@main.command()
@which_cluster
@as_json_option
@click.option("--watch", is_flag=True, help="Again every second, until Ctrl-C.")
def status(files: tuple[str, ...], server: str, workdir: str, as_json: bool, watch: bool) -> None:
    """Show who leads, every daemon of every role, the shards, and what is wrong.

    Asks all keepers at once and works with any of them dead.

    \b
    shinken status
    shinken status --watch
    shinken status --json | jq -r '.daemons[] | select(.health != "alive") | .name'
    """
    where = _target(files, server, workdir)
    if watch:
        _watch(where, as_json)
        return
    snapshot = _collect(where)
    sys.exit(_show(snapshot, as_json, going_on_of(where) if snapshot.leader else None))


@main.command()
@which_cluster
@as_json_option
def verify(files: tuple[str, ...], server: str, workdir: str, as_json: bool) -> None:
    """Read the configuration and say everything that is wrong with it, by file and line.

    \b
    shinken verify -c etc/shinken.cfg -c etc/shinken-specific.cfg
    """
    from daemons.cli.verify import verify as verify_files

    try:
        said = files or bundle_of((), "", workdir).files
    except CannotAsk as error:
        raise Wrong(str(error)) from error
    sys.exit(verify_files(said, as_json))


@main.command()
@click.argument("line")
@which_cluster
@as_json_option
def command(line: str, files: tuple[str, ...], server: str, workdir: str, as_json: bool) -> None:
    """Give one external command, without or with its [time].

    \b
    shinken command "SCHEDULE_FORCED_HOST_CHECK;web1;$(date +%s)"
    shinken command "ACKNOWLEDGE_SVC_PROBLEM;web1;http;1;1;0;ann;on it"
    """
    import msgspec

    from console.commands import receivers_of, submit
    from daemons.cli.reach import operator_peer

    where = _target(files, server, workdir)
    receivers = receivers_of(_collect(where))
    outcome = submit(line, receivers, lambda name: operator_peer(where.bundle, where.keys, name))
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
    else:
        click.echo(f"{outcome.text} (id {outcome.id})", err=outcome.code != GOOD)
    sys.exit(outcome.code)


@main.command()
@which_cluster
@as_json_option
def doctor(files: tuple[str, ...], server: str, workdir: str, as_json: bool) -> None:
    """Say what keeps this cluster from being highly available, each with its fix.

    Looks at the live cluster and at the configuration files. Exit code 1 when there is anything.
    """
    import msgspec

    from console.doctor import examine
    from console.page import printed, problem_lines
    from console.plain import problems

    where = _target(files, server, workdir)
    snapshot = _collect(where)
    found = examine(snapshot, where.bundle.files)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"problems": problems(found)})).decode())
    else:
        click.echo(printed(problem_lines(found, _width()), *_terminal()))
    sys.exit(exit_code(snapshot) if exit_code(snapshot) == NOBODY else NOT_GOOD if found else GOOD)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@which_cluster
@click.option("--once", is_flag=True, help="Print the status page and exit.")
@click.option("--json", "as_json", is_flag=True, help="With --once, or alone: print JSON and exit.")
@click.option("--read-only", is_flag=True, help="Offer nothing that changes the cluster.")
def console(
    files: tuple[str, ...], server: str, workdir: str, once: bool, as_json: bool, read_only: bool
) -> None:
    """Watch the cluster live in the terminal; keys are shown at the bottom, ? explains them.

    \b
    shinken-console
    shinken-console -c etc/shinken.cfg -c etc/shinken-specific.cfg
    shinken-console --once --json
    """
    where = _target(files, server, workdir)
    if once or as_json:
        sys.exit(_show(_collect(where), as_json))
    if not sys.stdout.isatty():
        raise Wrong("this is no terminal: use --once, or --json")
    from console.app import run

    run(where.bundle, where.keys, read_only=read_only or where.keys.operator is None)


def _collect(where: Target) -> Snapshot:
    from console.feed import collect, daemons, keepers

    bundle, keys = where.bundle, where.keys
    return collect(bundle.cluster, keepers(bundle, keys), directly=daemons(bundle, keys))


def _show(snapshot: Snapshot, as_json: bool, known: Operations | None = None) -> int:
    """Print it, with what the leader says of operations; return the exit code."""
    from console.operated import going_on, going_on_lines
    from console.page import page, printed
    from console.plain import status_json

    if as_json:
        click.echo(status_json(snapshot, going_on(known, snapshot)))
    else:
        click.echo(printed(page(snapshot, _width()), *_terminal()))
        for line in going_on_lines(known):
            click.echo(line)
    return exit_code(snapshot)


def exit_code(snapshot: Snapshot) -> int:
    """Return 3 when nobody answers, 1 when something is wrong, else 0: advice is no failure."""
    if not any(s.keeper in ("alive", "suspect") for s in snapshot.servers):
        return NOBODY
    return NOT_GOOD if any(p.severity != "advice" for p in snapshot.problems) else GOOD


def _watch(where: Target, as_json: bool) -> None:
    """Print each new snapshot until the user has seen enough."""
    import msgspec

    from console.feed import Feed, daemons, feeding, keepers
    from console.page import page, printed
    from console.plain import status

    ended = threading.Event()

    def tell(snapshot: Snapshot) -> None:
        if as_json:
            text = msgspec.json.encode(status(snapshot)).decode()
        else:
            text = printed(page(snapshot, _width()), *_terminal())
            if sys.stdout.isatty():
                text = "\x1b[H" + text.replace("\n", "\x1b[K\n") + "\x1b[K\x1b[J"
            else:
                text += "\n"
        try:
            print(text, flush=True)
        except BrokenPipeError:  # `| head` has seen enough
            ended.set()

    if sys.stdout.isatty() and not as_json:
        print("\x1b[2J", end="")
    bundle, keys = where.bundle, where.keys
    asked = keepers(bundle, keys)
    with feeding(Feed(bundle.cluster, asked, tell, directly=daemons(bundle, keys))):
        try:
            ended.wait()
        except KeyboardInterrupt:
            print()


def _start(files: tuple[str, ...], server: str, workdir: str, foreground: bool) -> None:
    from daemons.cli.start import BadConfiguration, CannotStart, Options
    from daemons.cli.start import start as start_server

    if not files:
        try:
            bundle = bundle_of((), "", workdir)
        except CannotAsk as error:
            raise Wrong(f"say what to start with -c FILE... ({error})") from error
        files, server = bundle.files, server or bundle.server.name
    try:
        sys.exit(start_server(Options(files, server, workdir, foreground), click.echo))
    except BadConfiguration as error:
        raise NotGood(str(error)) from error
    except CannotStart as error:
        raise Wrong(str(error)) from error


def _stop(files: tuple[str, ...], workdir: str) -> int:
    from daemons.cli.start import stop as stop_server

    try:
        return stop_server(workdir_of(files, workdir), click.echo)
    except CannotAsk as error:
        raise Wrong(str(error)) from error


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _terminal() -> tuple[bool, str]:
    """Whether to write colours (NO_COLOR, no-color.org, and pipes say no), and the encoding."""
    import os

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return colour, sys.stdout.encoding or "ascii"


main.add_command(retention)
main.add_command(voter)


if __name__ == "__main__":
    main()
