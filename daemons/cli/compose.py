"""Builds one process: a role, its local services, its door, its runner. Nothing is decided here.

Each builder imports what only its role needs: a poller does not carry a scheduler's code in memory.
"""

import gc
import logging
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from daemons.cli.board import engine_of
from daemons.cli.reach import Keys, peers, port_of, where
from daemons.cli.terms import terms_of
from daemons.cli.watch import WATCHDOG
from daemons.model.cluster import DaemonDef, RoleName
from daemons.net import clock
from daemons.net.documents import DocumentFiles
from daemons.net.durable import Durable
from daemons.net.home import Bundle, Home
from daemons.net.logs import start_logging
from daemons.net.names import Entry, Names
from daemons.net.runner import Runner, Service
from daemons.net.spawn import WorkerPool
from daemons.net.supervise import Supervisor, daemon_argv
from daemons.net.transport import serve
from daemons.net.witness import WitnessService
from daemons.roles.keeper import Keeper
from daemons.roles.keeping.documents_kept import KeptDocuments
from daemons.roles.role import Role
from daemons.wire.messages import (
    Done,
    Failed,
    LostRuns,
    Message,
    RanChunk,
    Register,
    Report,
    RunChunk,
)

RELEASE = "0.1.0"
IN_FLIGHT = 256  # plugins one worker runs at once
FRESH = 8  # of these younger than 0.1 s: starting more at once gains nothing
PREFETCH = 96
SIDE_MAX = 64  # commands beside checks that a reactionner runs at once
log = logging.getLogger(__name__)


def run_keeper(home: Home, voter_only: bool = False) -> int:
    """Run this server's keeper in the foreground until it is told to stop. Returns the exit code.

    `voter_only`: without the daemons that the configuration defines here.
    """
    bundle = home.read()
    start_logging(f"keeper@{bundle.server.name}", bundle.cluster.settings.get("log_level", "INFO"))
    keys = Keys(bundle)
    instance = secrets.token_hex(8)
    durable = Durable(home.spool / "votes")
    files = DocumentFiles(home.spool / "documents")
    mark = home.spool / "was-here"
    is_new = not durable.exists and not mark.exists()
    keeper = Keeper(
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        server=bundle.server,
        terms=terms_of(bundle.cluster),
        durable=durable.read(),
        is_new=is_new,
        jitter=random.SystemRandom().random,
        release=RELEASE,
        documents=KeptDocuments(*files.load()),
        voter_only=voter_only,
        machine=bundle.machine,
    )
    if voter_only or bundle.server.voter_only:
        log.info("votes only: no daemon is started on %s", bundle.server.name)
    mark.touch()
    names = Names(secret=keys.secret, log=logging.getLogger("names"))
    names.start(bundle.server.address, port_of(bundle.cluster, "names"))
    runner: Runner
    supervisor = Supervisor(
        home.path,
        {d.name: d for d in bundle.cluster.on(bundle.server.address) if not voter_only},
        lambda define, fresh: daemon_argv(define.role, define.name, fresh, home.path),
        lambda message: runner.enter(message),
        watchdog=int(os.environ.get(WATCHDOG, "0")),
    )
    witness = WitnessService(
        tuple(w.strip() for w in bundle.cluster.settings.get("witness_ping", "").split(",") if w.strip()),
        tuple(s.address for s in bundle.cluster.servers),
    )
    services: Mapping[str, Service] = {
        "daemons": supervisor.apply,
        "names": _registrar(names),
        "witness": witness.apply,
        "documents": files.apply,
        **engine_of(bundle.cluster),
    }
    runner = Runner(
        keeper,
        peers(bundle, keeper.name, instance, keys),
        services,
        durable,
        shutdown_s=keeper.shutdown_s,
    )
    (home.path / "keeper.pid").write_text(f"{os.getpid()}\n")
    supervisor.start()
    found = where(bundle, "keeper")
    assert found is not None
    try:
        return _serve(runner, found, keys, lambda: {"role": "keeper", "server": bundle.server.name})
    finally:
        names.close()
        (home.path / "keeper.pid").unlink(missing_ok=True)


def run_daemon(role: RoleName, name: str, home: Home, instance: str) -> int:
    """Run one daemon in the foreground until it is told to stop. Returns the exit code."""
    bundle = home.read()
    start_logging(name, bundle.cluster.settings.get("log_level", "INFO"))
    define = bundle.cluster.daemon(name)
    if define is None or define.role != role:
        log.error("the configuration defines no %s called %s", role, name)
        return 2
    keys = Keys(bundle)
    instance = instance or secrets.token_hex(8)
    durable = Durable(home.spool / f"{name}.durable")
    box: list[Runner] = []  # services talk to the runner that is made from them

    def tell(message: Message) -> Message:
        return box[0].enter(message) if box else Failed("starting")

    built = BUILDERS[role](bundle, define, home, instance, durable.read(), tell)
    runner = Runner(built.role, peers(bundle, name, instance, keys), built.services, durable)
    box.append(runner)
    built.begin()
    gc.collect()
    gc.freeze()
    found = where(bundle, name)
    assert found is not None
    try:
        return _serve(runner, found, keys, lambda: _health(built.role, built.report(), bundle, define))
    finally:
        built.close()


Tell = Callable[[Message], Message]


class Built(NamedTuple):
    """What a daemon is made of."""

    role: Role
    report: Callable[[], Report]
    services: dict[str, Service]
    close: Callable[[], None] = lambda: None
    begin: Callable[[], None] = lambda: None  # called once the role can be entered


def _arbiter(
    bundle: Bundle, define: DaemonDef, home: Home, instance: str, durable: bytes, tell: Tell
) -> Built:
    from daemons.config.bundle import head_or_none
    from daemons.net.compiler import Compiler, FilesBase
    from daemons.roles.arbiter import Arbiter

    compiler = Compiler(bundle.files, FilesBase(home.spool), f"the files of {bundle.server.name}")
    role = Arbiter(
        name=define.name,
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        head_of=head_or_none,
        durable=durable,
        lease_s=terms_of(bundle.cluster).lease_s,
        without=_without(),
    )
    return Built(role, role.report, {"configuration": compiler.apply}, compiler.close)


def _scheduler(
    bundle: Bundle, define: DaemonDef, home: Home, instance: str, durable: bytes, tell: Tell
) -> Built:
    from daemons.net.retain import open_retention
    from daemons.roles.scheduler import Scheduler

    retainer, stores = open_retention(bundle.cluster, define, home.spool)
    role = Scheduler(
        name=define.name,
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        durable=durable,
        tokens=lambda: secrets.token_hex(6),
        stores=stores,
        without=_without(),
    )
    return Built(role, lambda: role.report(clock.now()), {"retention": retainer.apply}, retainer.close)


def _poller(
    bundle: Bundle, define: DaemonDef, home: Home, instance: str, durable: bytes, tell: Tell
) -> Built:
    from daemons.roles.poller import Poller

    pool = _pool(define, tell)
    role = Poller(
        name=define.name,
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        durable=durable,
        capacity=pool.capacity,
        without=_without(),
    )
    return Built(role, role.report, {"exec": _runs(pool)}, pool.close)


def _reactionner(
    bundle: Bundle, define: DaemonDef, home: Home, instance: str, durable: bytes, tell: Tell
) -> Built:
    from daemons.modules.journal import ActionJournal
    from daemons.roles.reactionner import Reactionner

    pool = _pool(define, tell)
    journal = ActionJournal(home.spool / f"{define.name}.journal.db")
    role = Reactionner(
        name=define.name,
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        durable=durable,
        journal=journal.load(),
        side_at_once=max(1, min(SIDE_MAX, pool.capacity // 4)),
        without=_without(),
    )

    def close() -> None:
        pool.close()
        journal.close()

    return Built(role, role.report, {"exec": _runs(pool), "journal": journal.apply}, close)


def _receiver(
    bundle: Bundle, define: DaemonDef, home: Home, instance: str, durable: bytes, tell: Tell
) -> Built:
    from daemons.modules import receiver_modules
    from daemons.modules.entry import delivery
    from daemons.modules.spool import CommandSpool
    from daemons.roles.receiver import Receiver

    spool = CommandSpool(home.spool / f"{define.name}.spool.db")
    role = Receiver(
        name=define.name,
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        durable=durable,
        spooled=spool.load(),
    )
    folder = home.var / define.name
    folder.mkdir(exist_ok=True)
    modules = receiver_modules(
        define.name, bundle.cluster, folder, time.time, delivery(define.name, tell)
    )

    def begin() -> None:
        for module in modules.values():
            module.start()

    def close() -> None:
        for module in modules.values():
            module.close()
        spool.close()

    return Built(role, role.report, {"spool": spool.apply}, close, begin)


def _broker(
    bundle: Bundle, define: DaemonDef, home: Home, instance: str, durable: bytes, tell: Tell
) -> Built:
    from daemons.modules import broker_modules
    from daemons.modules.service import BrokerModules
    from daemons.roles.broker import Broker

    folder = home.var / define.name
    folder.mkdir(exist_ok=True)
    modules = BrokerModules(
        broker_modules(define.name, bundle.cluster, folder, time.time),
        home.spool / f"{define.name}.positions",
    )
    role = Broker(
        name=define.name,
        instance=instance,
        pid=os.getpid(),
        cluster=bundle.cluster,
        durable=durable,
        positions=modules.positions(),
        states=modules.states,
    )
    return Built(role, role.report, {"modules": modules.apply}, modules.close)


BUILDERS: dict[
    RoleName, Callable[[Bundle, DaemonDef, Home, str, bytes, Tell], Built]
] = {
    "arbiter": _arbiter,
    "scheduler": _scheduler,
    "poller": _poller,
    "reactionner": _reactionner,
    "receiver": _receiver,
    "broker": _broker,
}


def _pool(define: DaemonDef, tell: Tell) -> WorkerPool:
    """Workers as the definition says: `max_workers` (0 or more than the cores: one a core)."""
    cores = len(os.sched_getaffinity(0))
    workers = min(cores, int(define.options.get("max_workers", "0") or 0) or cores)
    in_flight = int(define.options.get("processes_by_worker", "0") or 0) or IN_FLIGHT

    def ran(shard: int, count: int, data: bytes) -> None:
        tell(RanChunk(shard, count, data))

    def lost(count: int) -> None:
        tell(LostRuns(count))

    return WorkerPool(
        workers,
        in_flight,
        PREFETCH,
        ran,
        on_lost=lost,
        fresh=FRESH,
    )


def _runs(pool: WorkerPool) -> Service:
    def apply(message: Message) -> Message:
        if not isinstance(message, RunChunk):
            return Failed(f"not for workers: {type(message).__name__}")
        pool.submit(message.data, message.count)
        return Done()

    return apply


def _registrar(names: Names) -> Service:
    def apply(message: Message) -> Message:
        if not isinstance(message, Register):
            return Failed(f"not for the name server: {type(message).__name__}")
        names.replace(
            Entry(e.name, e.uri, dict(tag.split("=", 1) for tag in e.metadata))
            for e in message.entries
        )
        return Done()

    return apply


def _serve(
    runner: Runner, at: tuple[str, int, str], keys: Keys, health: Callable[[], dict[str, Any]]
) -> int:
    address, port, name = at
    server = serve(
        address,
        port,
        name,
        runner.ask,
        lambda: {**health(), **{f"net_{k}": v for k, v in runner.figures.items()}},
        secret=keys.secret,
        operator_key=keys.operator,
        log=logging.getLogger("net"),
    )
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: runner.stop())
    log.info("serves %s at %s:%d", name, address, port)
    try:
        runner.run()
    finally:
        server.close()
    log.info("ended in order")
    return 0


def _health(role: Role, report: Report, bundle: Bundle, define: DaemonDef) -> dict[str, Any]:
    return {
        "name": define.name,
        "role": define.role,
        "server": bundle.server.name,
        "instance": role.instance,
        "pid": os.getpid(),
        "release": RELEASE,
        "active": report.active,
        "epoch": report.epoch,
        "config": report.config,
        "problems": list(report.problems),
        "figures": dict(report.figures),
        "wall": clock.now().wall,
    }


def _without() -> frozenset[str]:
    """Protections switched off, for the drill's test of its own judge; never set in production."""
    said = os.environ.get("SHINKEN_TEST_WITHOUT", "")
    if said:
        log.warning("PROTECTIONS SWITCHED OFF FOR A TEST: %s", said)
    return frozenset(word for word in said.split(",") if word)
