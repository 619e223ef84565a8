"""Run seeds of the simulator, or replay one and tell its story: python -m tests.sim --help."""

import argparse
import os
import sys
import time

from daemons.wire.board import Round
from daemons.wire.messages import (
    Beat,
    CensusAsk,
    CopyVotes,
    Exchange,
    TakeActions,
    TakeBroks,
)
from tests.sim.checkers import Violation
from tests.sim.cluster import Setup
from tests.sim.history import History

ROUTINE = (Beat, Round, CensusAsk, CopyVotes, Exchange, TakeActions, TakeBroks)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("seed", type=int, help="the seed, or the first of --count")
    parser.add_argument("--count", type=int, default=0, help="run so many seeds, print those that fail")
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--policy", default="takeover", choices=("takeover", "hold"), help="of two servers")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND", help="more of these faults")
    parser.add_argument("--only", action="store_true", help="no faults but those given with --fault")
    parser.add_argument("--lease", type=float, default=2.5, help="seconds")
    parser.add_argument("--drift", type=float, default=0.01, help="of the clocks")
    parser.add_argument("--no-shared-store", action="store_true")
    parser.add_argument("--language", action="store_true", help="play the monitoring language too")
    parser.add_argument("--without", action="append", default=[], metavar="PROTECTION", help="see test_protections.py")
    parser.add_argument("--trace", action="store_true", help="also each message that is no routine")
    parser.add_argument("--from", dest="since_s", type=float, default=0.0, help="begin the story at this second")
    parser.add_argument("--upto", dest="upto_s", type=float, default=1e9, help="end it there")
    return parser.parse_args()


def setup_of(asked: argparse.Namespace) -> Setup:
    """Return the kind of cluster and run asked for."""
    return Setup(
        servers=asked.servers, split_policy=asked.policy, kinds=tuple(asked.fault), only=asked.only,
        drift=asked.drift, lease_s=asked.lease, shared_store=not asked.no_shared_store, language=asked.language, without=frozenset(asked.without),
    )  # fmt: skip


def replay(asked: argparse.Namespace) -> int:
    """Tell the story of one seed; return 1 when something was wrong."""
    history = History(asked.seed, setup_of(asked))
    world = history.world
    if asked.trace:
        world.sim.tells = lambda message: not isinstance(message, ROUTINE)
    verdict, failed = _run(history)
    for line in world.sim.trace:
        if asked.since_s <= float(line[:8]) <= asked.upto_s:
            print(line)
    ledger, keeping = world.ledger, history.checker.keeping
    print(f"{verdict or 'all came right'}")
    print(f"{world.sim.messages} messages, {ledger.checks} checks, {len(ledger.ran)} notifications and handlers")
    print(f"{len(history.sender.given)} commands, lost: {sorted(keeping.lost)}, digest {world.sim.digest:08x}")
    return failed


def hunt(asked: argparse.Namespace) -> int:
    """Run many seeds; return 1 when one failed."""
    began_s, failed = time.process_time(), 0
    setup = setup_of(asked)
    for seed in range(asked.seed, asked.seed + asked.count):
        history = History(seed, setup)
        verdict, bad = _run(history)
        failed += bad
        if bad:
            print(f"{verdict}\n  again: {history.again}", flush=True)
    took_s = time.process_time() - began_s
    print(f"{asked.count} seeds, {failed} failed, {took_s / asked.count:.2f} s each")
    return int(bool(failed))


def _run(history: History) -> tuple[str, int]:
    try:
        history.run()
    except Violation as violation:
        return f"seed {history.seed}: {violation}", 1
    return "", 0


asked = arguments()
try:
    sys.exit(hunt(asked) if asked.count else replay(asked))
except BrokenPipeError:
    os._exit(1)
