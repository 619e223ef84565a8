"""`shinken start` and `shinken stop`: one server's keeper and, through it, its daemons."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import psutil
from msgspec import Struct, json
from msgspec.structs import replace

from daemons.cli.configuration import arbiter_complaint, read_configuration
from daemons.cli.reach import WORKDIR, Keys, default_workdir, operator_peer, port_of
from daemons.model.cluster import Cluster, ServerDef
from daemons.net.client import Refused, Unreachable
from daemons.net.documents import SUFFIX
from daemons.net.home import Bundle, Home, NoHome, alive
from daemons.net.secret import BadSecret, make_operator_key, make_secret
from daemons.net.supervise import Running
from daemons.wire.codec import decode, encode
from daemons.wire.configuration import CONFIGURATION
from daemons.wire.messages import Census, CensusAsk

START_S = 30.0  # until every daemon of the server has beaten once
STOP_S = 30.0
Say = Callable[[str], None]


class CannotStart(Exception):
    """What the operator has to mend first; the text says how."""


class BadConfiguration(CannotStart):
    """The configuration has errors; they were told one by one."""


class Options(Struct, frozen=True):
    """What was typed."""

    files: tuple[str, ...]
    server: str = ""
    workdir: str = ""
    foreground: bool = False


def start(options: Options, say: Say) -> int:
    """Start the keeper of this server and wait until its daemons run. Returns the exit code.

    Raises CannotStart.
    """
    home = prepare(options.files, options.server, options.workdir, say)
    if pid := home.pid("keeper"):
        say(f"{home.read().server.name} runs already: keeper pid {pid}")
        return 0
    if taken := _taken(home):
        raise CannotStart("; ".join(taken))
    if options.foreground:
        os.execv(sys.executable, [sys.executable, "-m", "daemons", "keeper", "--workdir", str(home.path)])
    with open(home.log / "keeper.log", "ab") as log:
        watchdog = subprocess.Popen(
            [sys.executable, "-m", "daemons", "watch", "--workdir", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=home.path,
        )
    (home.path / "watchdog.pid").write_text(f"{watchdog.pid}\n")  # so that stop finds it from now on
    return _await_daemons(home, say)


def prepare(files: tuple[str, ...], named: str, workdir: str, say: Say) -> Home:
    """Check the configuration, find out which server this is, fill its work folder; return that.

    A server that runs already is left as it is. Raises CannotStart.
    """
    loaded = read_configuration(files)
    for complaint in loaded.complaints:
        if complaint.severity == "error":
            say(str(complaint))
    if loaded.cluster is None or not loaded.good:
        if (home := _last_good(Home(workdir or (default_workdir(loaded.cluster) if loaded.cluster else WORKDIR)))):
            say("the files are not good: the daemons start as before, with the configuration last committed")
            return home
        raise BadConfiguration("the configuration is not good: nothing was started (shinken verify says more)")
    cluster = loaded.cluster
    server = this_server(cluster, named)
    if wrong := arbiter_complaint(cluster, server, machine_names(), server.name if named else ""):
        raise CannotStart(wrong)
    home = Home(workdir or default_workdir(cluster))
    if home.pid("keeper"):
        return home
    try:
        home.prepare()
        machine = machine_id() if not named or _found_itself(home, server) else ""
        home.write(replace(_bundle(cluster, server, files, home, say), machine=machine))
    except OSError as error:
        raise CannotStart(f"work folder {home.path}: {error.strerror}") from error
    return home


def _found_itself(home: Home, server: ServerDef) -> bool:
    """Whether this server was not named when it was started first: a restart names it."""
    try:
        before = home.read()
    except (NoHome, OSError):
        return False
    return bool(before.machine) and before.server.name == server.name


def _last_good(home: Home) -> Home | None:
    """Return `home` if a cluster was started in it that has committed a configuration; this server has a copy."""
    try:
        home.read()
    except (NoHome, OSError):
        return None
    return home if (home.spool / "documents" / f"{CONFIGURATION}{SUFFIX}").exists() else None


def stop(workdir: str, say: Say) -> int:
    """End the keeper and all daemons of a work folder; return when everything has ended. 0 = it has."""
    home = Home(workdir)
    if not _managers(home) and not _runs(home):
        say(f"nothing runs in {home.path}")
        return 0
    told: set[int] = set()
    deadline = time.monotonic() + STOP_S
    while (managers := _managers(home)) or _runs(home) or any(alive(pid) for pid in told):
        # the watchdog passes it on; where nobody is left to do it, the daemons are told directly
        for pid in managers or [running.pid for running in _runs(home)]:
            if pid not in told:
                told.add(pid)
                _signal(pid, signal.SIGTERM)
        if time.monotonic() > deadline:
            _kill_all(home, managers)
            say("some processes had to be killed")
            return 0 if not _runs(home) else 1
        time.sleep(0.05)
    say(f"everything in {home.path} has ended")
    return 0


def this_server(cluster: Cluster, named: str) -> ServerDef:
    """Return the server this machine is, or the one that was named. Raises CannotStart."""
    if named:
        for server in cluster.servers:
            if named in (server.name, server.address):
                return server
        known = ", ".join(f"{s.name} ({s.address})" for s in cluster.servers)
        raise CannotStart(f"no daemon or keeper has the address {named}; the configuration knows {known}")
    names = set(machine_names())
    mine = [s for s in cluster.servers if s.name in names or names & set(_addresses(s.address))]
    if len(mine) == 1:
        return mine[0]
    if not mine:
        known = ", ".join(f"{s.name} ({s.address})" for s in cluster.servers)
        raise CannotStart(
            f"this machine ({', '.join(machine_names()[:3])}) is none of the servers {known}: "
            "correct an `address`, or say --server NAME"
        )
    raise CannotStart(
        "this machine is all of " + ", ".join(s.name for s in mine) + ": say which with --server NAME"
    )


def machine_names() -> list[str]:
    """Return what this machine is called: host name, FQDN, then its addresses."""
    names = [socket.gethostname(), socket.getfqdn()]
    for found in psutil.net_if_addrs().values():
        names += [a.address for a in found if a.family in (socket.AF_INET, socket.AF_INET6)]
    return list(dict.fromkeys(names))


def machine_id() -> str:
    """Return what tells this running kernel from others, "" when that cannot be told.

    Not /etc/machine-id: cloned machines share it, and containers of one machine have each their own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        return ""
    return sha256(boot).hexdigest()[:16]


def server_census(bundle: Bundle, keys: Keys, server: str, timeout_s: float = 1.0) -> Census | None:
    """Return what the keeper of `server` says of it, None when it does not answer."""
    peer = operator_peer(bundle, keys, f"keeper@{server}")
    if peer is None:
        return None
    try:
        answer = decode(peer.ask(encode(CensusAsk()), timeout_s))
    except (Unreachable, Refused):
        return None
    finally:
        peer.close()
    return answer if isinstance(answer, Census) else None


def _bundle(cluster: Cluster, server: ServerDef, files: Sequence[str], home: Home, say: Say) -> Bundle:
    folder = Path(files[0]).absolute().parent if files else home.path
    secret = cluster.settings.get("cluster_secret_file", "")
    loopback = all(_is_loopback(a) for s in cluster.servers for a in _addresses(s.address))
    if not secret and not loopback:
        raise CannotStart(
            "without a cluster secret only loopback addresses are served: add "
            "cluster_secret_file=cluster.secret to the main file"
        )
    key = cluster.settings.get("operator_key_file", "") or str(home.path / "operator.key")
    try:
        if secret and not (folder / secret).exists():
            make_secret(folder / secret)
            say(f"made {folder / secret}: copy it to the other servers before they start")
        if not (folder / key).exists():
            make_operator_key(folder / key)
    except (OSError, BadSecret) as error:
        raise CannotStart(str(error)) from error
    return Bundle(
        cluster=cluster,
        server=server,
        files=tuple(str(Path(f).absolute()) for f in files),
        secret_file=str(folder / secret) if secret else "",
        operator_key_file=str(folder / key),
    )


def _taken(home: Home) -> list[str]:
    """What cannot listen where it should; daemons that a dead keeper left are not counted."""
    bundle = home.read()
    own = {running.name for running in _runs(home)}
    wanted = [(d.name, d.port) for d in bundle.cluster.on(bundle.server.address) if d.name not in own]
    wanted += [(what, port_of(bundle.cluster, what)) for what in ("keeper", "names")]
    found = []
    for what, port in wanted:
        try:
            family, _, _, _, at = socket.getaddrinfo(bundle.server.address, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(at)
        except OSError as error:
            found.append(f"{what} cannot listen at {bundle.server.address}:{port}: {error.strerror}")
    return found


def _await_daemons(home: Home, say: Say) -> int:
    bundle = home.read()
    try:
        keys = Keys(bundle)
    except BadSecret as error:
        raise CannotStart(str(error)) from error
    deadline = time.monotonic() + START_S
    waiting: list[str] = []
    while time.monotonic() < deadline:
        census = server_census(bundle, keys, bundle.server.name)
        if census is not None:
            waiting = [d.name for d in census.daemons if d.beat_age_s < 0]
            if not waiting:
                what = "votes only" if bundle.server.voter_only else f"{len(census.daemons)} daemons run"
                say(f"{bundle.server.name}: {what}, keeper pid {census.pid}")
                return 0
        time.sleep(0.1)
    logs = home.log
    if waiting:
        say(f"not up after {START_S:.0f} s: {', '.join(waiting)}; see {logs}/<name>.log")
    else:
        say(f"the keeper does not answer after {START_S:.0f} s; see {logs}/keeper.log")
    return 1


def bundle_of(workdir: str) -> Bundle:
    """Return what the server of `workdir` was started with. Raises CannotStart."""
    try:
        return Home(workdir).read()
    except NoHome as error:
        raise CannotStart(str(error)) from error


def _managers(home: Home) -> list[int]:
    """The watchdog and the keeper, the watchdog first: it must not start another keeper."""
    return [pid for name in ("watchdog", "keeper") if (pid := home.pid(name))]


def _runs(home: Home) -> list[Running]:
    found = []
    for path in home.path.glob("*.run"):
        with contextlib.suppress(OSError, ValueError):
            running = json.decode(path.read_bytes(), type=Running)
            if alive(running.pid):
                found.append(running)
    return found


def _kill_all(home: Home, pids: list[int]) -> None:
    for pid in [*pids, *(running.pid for running in _runs(home))]:
        with contextlib.suppress(OSError):
            os.killpg(os.getpgid(pid), signal.SIGKILL)
    deadline = time.monotonic() + 5
    while _runs(home) and time.monotonic() < deadline:
        time.sleep(0.05)


def _signal(pid: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)


def _addresses(name: str) -> list[str]:
    try:
        return [name, *{str(info[4][0]) for info in socket.getaddrinfo(name, None)}]
    except OSError:
        return [name]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in ("::1", "localhost")
