"""One foreground command per daemon: `python -m daemons ROLE --workdir DIR --name NAME`, or `shinken-ROLE`."""

import argparse
import os
import sys
from pathlib import Path

from daemons.model.cluster import ROLES, RoleName


def main(argv: list[str] | None = None) -> int:
    """Run the process that `argv` names. Returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    what = words[0] if words else ""
    if what == "watch":
        from daemons.cli.watch import watch

        return watch(_options("watch", words[1:]).workdir)
    if what == "compile":
        from daemons.cli.configuration import compile_child

        return compile_child(words[1:])
    if what == "keeper":
        return _keeper(words[1:])
    for role in ROLES:
        if what == role:
            return _daemon(role, words[1:])
    print(f"usage: python -m daemons {{keeper,{','.join(ROLES)}}} [-h]", file=sys.stderr)
    return 2


def _options(what: str, words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"shinken-{what}",
        description=f"Run one {what} in the foreground, in a work folder that `shinken start` has prepared "
        "or, with -c, from configuration files.",
    )
    parser.add_argument("-c", "--config", action="append", default=[], metavar="FILE", help="configuration file; several are read one after the other")
    parser.add_argument("--server", default="", metavar="NAME", help="which server this is, when that is not clear from its addresses")
    parser.add_argument("--workdir", type=Path, default=None, metavar="DIR", help="work folder (default: `workdir` of the main file)")
    parser.add_argument("--name", default="", metavar="NAME", help="name of the daemon, when this server has several of the role")
    parser.add_argument("--instance", default="", help=argparse.SUPPRESS)
    if what == "arbiter":
        parser.add_argument("-v", "--verify-config", action="store_true", help="check the configuration and exit: 0 good, 1 bad")
    if what == "keeper":
        parser.add_argument("--voter-only", action="store_true", help="only vote: start none of the daemons that the configuration defines for this server "
                            "(one with `define keeper { voter_only 1 }` has none)")  # fmt: skip
    return parser.parse_args(words)


def _keeper(words: list[str]) -> int:
    options = _options("keeper", words)
    if options.config:
        return _from_files("keeper", options)
    return _in_home("keeper", options)


def _daemon(role: RoleName, words: list[str]) -> int:
    options = _options(role, words)
    if getattr(options, "verify_config", False):
        from daemons.cli.verify import verify

        return verify(tuple(options.config), as_json=False)
    return _from_files(role, options) if options.config else _in_home(role, options)


def _from_files(what: str, options: argparse.Namespace) -> int:
    """Prepare a work folder from -c FILE..., then run in it. Only here the configuration reader is loaded."""
    from daemons.cli.start import CannotStart, Options, prepare, start

    try:
        workdir = str(options.workdir or "")
        if what == "keeper" and not options.voter_only:
            return start(Options(tuple(options.config), options.server, workdir, True), print)
        options.workdir = prepare(tuple(options.config), options.server, workdir, print).path
    except CannotStart as error:
        print(f"shinken-{what}: {error}", file=sys.stderr)
        return 2
    return _in_home(what, options)


def _in_home(what: str, options: argparse.Namespace) -> int:
    """Run in a work folder that is prepared."""
    from daemons.cli.compose import run_daemon, run_keeper
    from daemons.net.home import Home, NoHome
    from daemons.net.transport import CannotServe

    try:
        home = Home(options.workdir or os.getcwd())
        bundle = home.read()
        if what == "keeper":
            return run_keeper(home, options.voter_only)
        role = next(role for role in ROLES if role == what)
        names = [d.name for d in bundle.cluster.on(bundle.server.address) if d.role == role]
        name = options.name or (names[0] if len(names) == 1 else "")
        if not name:
            have = ", ".join(names) or "none"
            print(f"shinken-{role}: say which with --name; {bundle.server.name} has: {have}", file=sys.stderr)
            return 2
        return run_daemon(role, name, home, options.instance)
    except (CannotServe, NoHome) as error:
        print(f"shinken-{what}: {error}", file=sys.stderr)
        return 2


def keeper() -> int:
    """Entry point of shinken-keeper."""
    return main(["keeper", *sys.argv[1:]])


def arbiter() -> int:
    """Entry point of shinken-arbiter."""
    return main(["arbiter", *sys.argv[1:]])


def scheduler() -> int:
    """Entry point of shinken-scheduler."""
    return main(["scheduler", *sys.argv[1:]])


def poller() -> int:
    """Entry point of shinken-poller."""
    return main(["poller", *sys.argv[1:]])


def reactionner() -> int:
    """Entry point of shinken-reactionner."""
    return main(["reactionner", *sys.argv[1:]])


def receiver() -> int:
    """Entry point of shinken-receiver."""
    return main(["receiver", *sys.argv[1:]])


def broker() -> int:
    """Entry point of shinken-broker."""
    return main(["broker", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
