"""Asking many keepers: who hangs delays nobody, who is gone gets older, the worst case is bounded."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from console.facts import Snapshot
from console.feed import Asker, Feed, collect, feeding, keepers
from daemons.cli.reach import Keys
from daemons.net.client import Unreachable
from daemons.wire.codec import encode
from daemons.wire.messages import Census, Done
from tests.console.fakes import CLUSTER, census, crew
from tests.console.keepers import stage
from tests.net.served import until


class Fake:
    """A keeper that answers with `said`, at once unless it is told to hang."""

    def __init__(self, said: Census | None) -> None:
        self.said = said
        self.asked = 0
        self.let_go = threading.Event()
        self.let_go.set()
        self.closed = False

    def ask(self, body: bytes, timeout_s: float) -> bytes:
        self.asked += 1
        if not self.let_go.wait(timeout_s):
            raise Unreachable("shinken.x at y: timed out", True)
        if self.said is None:
            raise Unreachable("shinken.x at y: cannot connect: Connection refused", False)
        return encode(self.said)

    def close(self) -> None:
        self.closed = True


def three() -> dict[str, Fake]:
    return {f"server{n}": Fake(census(n, crew(n, n == 1))) for n in (1, 2, 3)}


class Self:
    """A daemon that answers for itself, or not."""

    def __init__(self, well: bool) -> None:
        self.well = well

    def health(self, timeout_s: float) -> dict[str, Any]:
        if not self.well:
            raise Unreachable("shinken.x at y: timed out", True)
        return {"name": "x", "active": False, "pid": 77, "epoch": 5, "figures": {"a": 1.0}, "wall": 1.0}

    def close(self) -> None:
        pass


def directly(name: str) -> Self:
    return Self(name == "broker-master")


class Told:
    """What a feed told, to wait on."""

    def __init__(self) -> None:
        self.all: list[Snapshot] = []
        self._news = threading.Condition()

    def __call__(self, snapshot: Snapshot) -> None:
        with self._news:
            self.all.append(snapshot)
            self._news.notify_all()

    def until(self, true: Callable[[Snapshot], bool], within_s: float = 8.0) -> Snapshot:
        with self._news:
            assert self._news.wait_for(lambda: any(map(true, self.all)), within_s)
            return next(s for s in self.all if true(s))


@contextlib.contextmanager
def fed(fakes: dict[str, Fake]) -> Iterator[tuple[Feed, Told]]:
    heard = Told()
    askers: dict[str, Asker] = dict(fakes)
    with feeding(Feed(CLUSTER, askers, heard, every_s=0.1, timeout_s=0.3)) as feed:
        yield feed, heard


def test_one_round_over_real_connections_is_bounded_with_one_hung_and_one_absent(
    tmp_path: Path,
) -> None:
    for with_hung in (True, False):
        with stage(tmp_path, with_hung) as on:
            began = time.monotonic()
            found = collect(on.bundle.cluster, keepers(on.bundle, Keys(on.bundle)), timeout_s=0.5)

            assert time.monotonic() - began < 1.5
            assert [s.keeper for s in found.servers] == ["dead", "alive", "alive"]
            assert found.leader == "arbiter-spare"
            words = "timed out" if with_hung else "refused"
            assert words in found.servers[0].why


def test_a_server_whose_name_is_not_found_does_not_hold_up_a_round() -> None:
    """Name resolution has no time-out of its own."""
    fakes = three()
    fakes["server1"].let_go.clear()
    slow = fakes["server1"].ask
    fakes["server1"].ask = lambda body, timeout_s: slow(body, 30.0)  # type: ignore[method-assign]
    began = time.monotonic()
    found = collect(CLUSTER, dict(fakes), timeout_s=0.2)
    fakes["server1"].let_go.set()

    assert time.monotonic() - began < 2
    assert [s.keeper for s in found.servers][1:] == ["alive", "alive"]
    assert "no answer yet" in found.servers[0].why


def test_the_feed_tells_what_all_say() -> None:
    with fed(three()) as (_, heard):
        found = heard.until(lambda s: s.answering == 3)

    assert found.leader == "arbiter-master"


def test_a_keeper_that_hangs_delays_no_other_and_grows_old() -> None:
    fakes = three()
    with fed(fakes) as (_, heard):
        heard.until(lambda s: s.answering == 3)
        fakes["server1"].let_go.clear()
        before = fakes["server2"].asked
        late = heard.until(lambda s: s.servers[0].age_s > 0.5)
        asked = fakes["server2"].asked - before
        fakes["server1"].let_go.set()

    assert asked >= 3
    assert late.servers[1].age_s < 0.4
    assert late.servers[0].keeper == "suspect"


def test_with_nobody_left_the_ages_go_on_growing() -> None:
    fakes = three()
    with fed(fakes) as (_, heard):
        heard.until(lambda s: s.answering == 3)
        for fake in fakes.values():
            fake.said = None
        first = heard.until(lambda s: s.answering == 0)
        heard.until(lambda s: s.servers[0].age_s > first.servers[0].age_s + 0.5)


def test_a_keeper_that_comes_back_is_alive_again() -> None:
    fakes = three()
    fakes["server1"].said = None
    with fed(fakes) as (_, heard):
        heard.until(lambda s: s.answering == 2)
        fakes["server1"].said = census(1, crew(1, True))
        heard.until(lambda s: s.answering == 3)


def test_refresh_asks_before_the_next_second_and_once_only() -> None:
    fakes = three()
    heard = Told()
    with feeding(Feed(CLUSTER, dict(fakes), heard, every_s=60.0)) as feed:
        heard.until(lambda s: s.answering == 3)
        feed.refresh()
        assert until(lambda: fakes["server1"].asked == 2)
        assert not until(lambda: fakes["server1"].asked > 2, within_s=0.3)


def test_while_all_questions_are_open_the_ages_go_on_growing() -> None:
    fakes = three()
    heard = Told()
    with feeding(Feed(CLUSTER, dict(fakes), heard, every_s=0.1, timeout_s=30.0)):
        heard.until(lambda s: s.answering == 3)
        for fake in fakes.values():
            fake.let_go.clear()
        heard.until(lambda s: s.servers[0].age_s > 1.0)
        for fake in fakes.values():
            fake.let_go.set()


def test_answers_that_are_no_census_are_no_life() -> None:
    fakes = three()
    fakes["server1"].ask = lambda body, timeout_s: encode(Done())  # type: ignore[method-assign]
    fakes["server2"].ask = lambda body, timeout_s: b"nonsense"  # type: ignore[method-assign]
    found = collect(CLUSTER, dict(fakes), timeout_s=0.5)

    assert [s.keeper for s in found.servers][:2] != ["alive", "alive"]
    assert "nonsense" in found.servers[1].why


def test_a_stopped_feed_hangs_up() -> None:
    fakes = three()
    with fed(fakes) as (_, heard):
        heard.until(lambda s: s.answering == 3)

    assert until(lambda: all(f.closed for f in fakes.values()))


def test_the_daemons_of_a_silent_keeper_are_asked_themselves() -> None:
    fakes = three()
    fakes["server1"].said = None
    for n in (2, 3):
        fakes[f"server{n}"].said = census(n, crew(n, True), {"server1": 30.0})
    found = collect(CLUSTER, dict(fakes), timeout_s=0.5, directly=directly)
    heard = Told()
    with feeding(Feed(CLUSTER, dict(fakes), heard, every_s=0.1, timeout_s=0.3, directly=directly)):
        fed_one = heard.until(lambda s: any(d.pid == 77 for d in s.daemons))

    for each in (found, fed_one):
        states = {d.name: d.health for d in each.daemons if d.server == "server1"}
        assert states.pop("broker-master") == "alive"
        assert set(states.values()) == {"dead"}


def test_daemons_that_hang_too_do_not_hold_up_a_round() -> None:
    fakes = three()
    fakes["server1"].said = None
    let_go = threading.Event()

    class Hung(Self):
        def health(self, timeout_s: float) -> dict[str, Any]:
            let_go.wait(30.0)
            raise Unreachable("late", True)

    began = time.monotonic()
    collect(CLUSTER, dict(fakes), timeout_s=0.2, directly=lambda name: Hung(False))
    took = time.monotonic() - began
    let_go.set()

    assert took < 3
