"""What every broker module must do under `BrokerModules`, whatever dies in between.

Any order of restarts, repeats and gaps of deltas leaves the right output: each line once, in order.
A kill is an exception that nothing catches, thrown at the chosen point; the next start has only the files.
"""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemons.modules.api import Setting
from daemons.modules.backlog import Backlog
from daemons.modules.livestatus import Livestatus
from daemons.modules.perfdata_file import HostPerfdata, ServicePerfdata
from daemons.modules.service import RETRY_S, BrokerModules
from daemons.modules.simple_log import SimpleLog
from daemons.wire.codec import encode
from daemons.wire.messages import Delta, Failed, Fed, Feed, LogLine

DAY_S = 86_400.0
START = 1_700_000_000.0


class Killed(BaseException):
    """The process is gone at this point."""


class Clock:
    def __init__(self) -> None:
        self.wall = START

    def __call__(self) -> float:
        return self.wall


def delta(n: int, shard: int = 0, epoch: int = 5, lines: int = 1) -> bytes:
    texts = tuple(f"s{shard} e{epoch} n{n} l{i}" for i in range(lines))
    logs = tuple(LogLine(START, text) for text in texts)
    return encode(Delta(shard, epoch, n, START, logs=logs, host_perfdata=texts, service_perfdata=texts))


def feed(*ns: int, shard: int = 0, epoch: int = 5, gap: bool = False, lines: int = 1) -> Feed:
    deltas = tuple(delta(n, shard, epoch, lines) for n in ns)
    return Feed(shard, epoch, ns[-1], deltas, gap)


def setting(folder: Path, clock: Clock) -> Setting:
    return Setting("simple-log", {}, "b1", folder, clock)


def lines_in(folder: Path) -> list[str]:
    """Every line of the log, its archives first; or of the perfdata file, where there is one."""
    for written in folder.glob("*-perfdata.dat"):
        return written.read_text().splitlines()
    archives = sorted(folder.glob("simple-*.log"), key=lambda path: path.stat().st_mtime_ns)
    texts = [path.read_text() for path in [*archives, folder / "simple.log"] if path.exists()]
    assert all(text.endswith("\n") for text in texts if text)
    return [line.partition("] ")[2] for text in texts for line in text.splitlines()]


FILES = [SimpleLog, HostPerfdata, ServicePerfdata]


@pytest.fixture(params=[*FILES, Livestatus])
def module(request, tmp_path):
    return request.param(setting(tmp_path, Clock()))


def test_a_feed_is_answered_with_its_position_and_stored(module, tmp_path):
    service = BrokerModules({"m": module}, tmp_path / "positions")

    assert service.apply(feed(1, 2)) == Fed(0, 5, 2, 2)
    assert service.positions() == {0: (5, 2)}
    assert BrokerModules({"m": module}, tmp_path / "positions").positions() == {0: (5, 2)}


def test_positions_are_kept_per_shard(module, tmp_path):
    service = BrokerModules({"m": module}, tmp_path / "positions")
    service.apply(feed(3, shard=1))
    service.apply(feed(9, shard=2, epoch=7))

    assert service.positions() == {1: (5, 3), 2: (7, 9)}


def test_a_repeated_feed_is_fed_and_changes_nothing(tmp_path):
    service = BrokerModules({"m": SimpleLog(setting(tmp_path, Clock()))}, tmp_path / "positions")
    service.apply(feed(1, 2))
    before = (tmp_path / "simple.log").read_bytes()

    assert isinstance(service.apply(feed(1, 2)), Fed)
    assert (tmp_path / "simple.log").read_bytes() == before


def test_an_overlapping_feed_adds_only_what_is_new(tmp_path):
    service = BrokerModules({"m": SimpleLog(setting(tmp_path, Clock()))}, tmp_path / "positions")
    service.apply(feed(1, 2))
    service.apply(feed(1, 2, 3))

    assert lines_in(tmp_path) == ["s0 e5 n1 l0", "s0 e5 n2 l0", "s0 e5 n3 l0"]


def test_a_gap_is_written_once_although_the_feed_is_repeated(tmp_path):
    service = BrokerModules({"m": SimpleLog(setting(tmp_path, Clock()))}, tmp_path / "positions")
    service.apply(feed(1))
    service.apply(feed(9, gap=True))
    service.apply(feed(9, gap=True))

    first, marker, last = lines_in(tmp_path)
    assert (first, last) == ("s0 e5 n1 l0", "s0 e5 n9 l0")
    assert marker.startswith("WARNING: [b1] lines of shard 0 are missing")


def test_bytes_that_are_no_delta_are_refused(module, tmp_path):
    service = BrokerModules({"m": module}, tmp_path / "positions")

    assert isinstance(service.apply(Feed(0, 5, 1, (b"\xc1",))), Failed)
    assert service.positions() == {}


class States:
    """A module that wants states: remembers what it was given."""

    states = True

    def __init__(self) -> None:
        self.taken: list[int] = []

    def take(self, deltas):
        self.taken += [delta.n for delta in deltas]

    def gap(self, shard):
        pass

    def flush(self):
        return {}

    def resume(self, mark):
        pass

    def close(self):
        pass


def test_pages_of_a_snapshot_go_to_modules_that_want_states_and_move_no_position(tmp_path):
    states, log = States(), SimpleLog(setting(tmp_path, Clock()))
    service = BrokerModules({"states": states, "log": log}, tmp_path / "positions")
    assert service.states
    service.apply(feed(40))
    service.apply(feed(-2))
    service.apply(feed(-1))
    assert service.positions() == {0: (5, 40)}
    service.apply(feed(41))

    assert states.taken == [40, -2, -1, 41]
    assert lines_in(tmp_path) == ["s0 e5 n40 l0", "s0 e5 n41 l0"]


class Flaky(SimpleLog):
    """Writes half of what it is given, then the disk is full, as often as told."""

    fails = 0

    def take(self, deltas):
        super().take(deltas[: len(deltas) // 2] if self.fails else deltas)
        if self.fails:
            self.fails -= 1
            raise OSError(28, "no space left on device")


class Monotonic:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def two(tmp_path: Path, clock: Monotonic) -> tuple[Flaky, BrokerModules]:
    """A module that fails when told and one that never does, under one service."""
    flaky = Flaky(setting(tmp_path, Clock()))
    steady = SimpleLog(setting(tmp_path / "steady", Clock()))
    modules = {"flaky": flaky, "steady": steady}
    return flaky, BrokerModules(modules, tmp_path / "positions", clock)


def test_a_module_that_fails_holds_up_no_other_and_catches_up(tmp_path):
    clock = Monotonic()
    flaky, service = two(tmp_path, clock)
    flaky.fails = 2
    answer = service.apply(feed(1, 2, 3, 4))
    assert isinstance(answer, Fed)
    assert answer.failing == ("flaky: [Errno 28] no space left on device",)
    assert answer.waiting == 1
    assert len(lines_in(tmp_path / "steady")) == 4
    assert service.positions() == {0: (5, 4)}  # the scheduler may let go of it

    service.apply(feed(5))
    clock.now += RETRY_S
    assert service.apply(feed(6)).waiting == 3  # fails once more
    clock.now += RETRY_S
    assert service.apply(Feed(0, 5, 6, ())) == Fed(0, 5, 6)
    assert lines_in(tmp_path) == lines_in(tmp_path / "steady")
    assert len(lines_in(tmp_path)) == 6


def test_what_waits_for_a_module_outlives_the_broker(tmp_path):
    clock = Monotonic()
    flaky, service = two(tmp_path, clock)
    flaky.fails = 1
    service.apply(feed(1, 2))
    service.close()
    _, service = two(tmp_path, clock)
    assert service.positions() == {0: (5, 2)}
    service.apply(feed(3))

    assert lines_in(tmp_path) == lines_in(tmp_path / "steady")
    assert len(lines_in(tmp_path)) == 3


def test_when_every_module_fails_the_scheduler_keeps_it(tmp_path):
    flaky = Flaky(setting(tmp_path, Clock()))
    service = BrokerModules({"flaky": flaky}, tmp_path / "positions", Monotonic())
    flaky.fails = 2
    answers = [service.apply(feed(1, 2, 3, 4)) for _ in range(3)]

    assert [type(answer) for answer in answers] == [Failed, Failed, Fed]
    assert len(lines_in(tmp_path)) == 4


def test_what_waits_is_bounded_and_the_module_is_told_of_the_gap(tmp_path):
    backlog = Backlog(tmp_path / "backlog", bytes_max=3 * len(delta(1)) + 20)
    for n in range(1, 7):
        backlog.add("m", feed(n))
    kept = []
    for seq, waiting in backlog.waiting("m"):
        kept.append((waiting.n, waiting.gap))
        backlog.drop("m", seq)

    assert backlog.shed == 6 - len(kept)
    assert kept[0][1] and kept[-1] == (6, False)
    assert backlog.modules() == set()


def test_a_module_added_later_goes_on_where_the_others_are(tmp_path):
    first = SimpleLog(setting(tmp_path / "first", Clock()))
    BrokerModules({"first": first}, tmp_path / "positions").apply(feed(1, 2))
    later = SimpleLog(setting(tmp_path / "later", Clock()))
    service = BrokerModules({"first": first, "later": later}, tmp_path / "positions")

    assert service.positions() == {0: (5, 2)}
    service.apply(feed(1, 2, 3))
    assert lines_in(tmp_path / "later") == ["s0 e5 n3 l0"]


class Doomed:
    """A module whose process is killed at a chosen point of the next feed."""

    point = ""

    def take(self, deltas):
        if self.point == "half taken":
            super().take(deltas[: len(deltas) // 2])
            raise Killed
        super().take(deltas)
        if self.point == "taken":
            raise Killed

    def flush(self):
        mark = super().flush()
        if self.point == "flushed":
            raise Killed
        return mark


class Stopping(BrokerModules):
    """A service killed after its modules flushed, just before or after the position is stored."""

    point = ""

    def _store(self):
        if self.point == "before store":
            raise Killed
        super()._store()
        if self.point == "stored":
            raise Killed


DOOMED = [type(f"Doomed{kind.__name__}", (Doomed, kind), {}) for kind in FILES]


def started(folder: Path, clock: Clock, kind: type = DOOMED[0]) -> tuple[Doomed, Stopping]:
    module = kind(setting(folder, clock))
    return module, Stopping({"log": module}, folder / "positions")


POINTS = ["half taken", "taken", "flushed", "before store", "stored"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("kind", DOOMED)
def test_a_kill_between_write_and_position_repeats_and_loses_no_line(tmp_path, point, rotates, kind):
    clock = Clock()
    module, service = started(tmp_path, clock, kind)
    service.apply(feed(1, 2, lines=3))
    clock.wall += DAY_S if rotates else 0.0
    module.point = service.point = point
    with pytest.raises(Killed):
        service.apply(feed(3, 4, 5, 6))
    module, service = started(tmp_path, clock, kind)
    _, n = service.positions()[0]
    service.apply(feed(*range(n + 1, 8)))

    expected = [f"s0 e5 n{n} l{i}" for n in (1, 2) for i in range(3)]
    assert lines_in(tmp_path) == expected + [f"s0 e5 n{n} l0" for n in range(3, 8)]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", DOOMED)
def test_a_kill_in_the_very_first_feed_repeats_no_line(tmp_path, point, kind):
    module, service = started(tmp_path, Clock(), kind)
    module.point = service.point = point
    with pytest.raises(Killed):
        service.apply(feed(1, 2))
    _, service = started(tmp_path, Clock(), kind)
    service.apply(feed(1, 2, 3))

    assert lines_in(tmp_path) == ["s0 e5 n1 l0", "s0 e5 n2 l0", "s0 e5 n3 l0"]


STEP = st.one_of(
    st.tuples(st.just("feed"), st.integers(0, 1), st.integers(1, 4)),
    st.tuples(st.just("repeat"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("kill"), st.integers(0, 1), st.sampled_from(POINTS)),
    st.tuples(st.just("day"), st.just(0), st.just(0)),
    st.tuples(st.just("failover"), st.integers(0, 1), st.just(0)),
)


@given(st.lists(STEP, max_size=25), st.sampled_from(DOOMED))
@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_of_feeds_repeats_kills_and_failovers_leaves_each_line_once(
    tmp_path_factory, steps, built
):
    folder = tmp_path_factory.mktemp("log")
    clock = Clock()
    module, service = started(folder, clock, built)
    streams: dict[int, list[tuple[int, int]]] = {0: [], 1: []}  # deltas made, in order
    epochs = {0: 5, 1: 5}

    def offer(shard: int, back: int = 0) -> Feed:
        """What an owner would send to the stored position, or from further back."""
        position = service.positions().get(shard, (0, 0))
        new = [d for d in streams[shard] if d > position]
        start = max(0, len(streams[shard]) - len(new) - back)
        deltas = streams[shard][start:]
        encoded = tuple(delta(n, shard, epoch) for epoch, n in deltas)
        return Feed(shard, *deltas[-1], encoded)

    for kind, shard, what in steps:
        match kind:
            case "feed":
                for _ in range(what):
                    streams[shard].append((epochs[shard], len(streams[shard]) + 1))
                service.apply(offer(shard))
            case "repeat" if streams[shard]:
                service.apply(offer(shard, back=what))
            case "kill":
                streams[shard].append((epochs[shard], len(streams[shard]) + 1))
                module.point = service.point = what
                with pytest.raises(Killed):
                    service.apply(offer(shard))
                module, service = started(folder, clock, built)
            case "day":
                clock.wall += DAY_S
            case "failover":
                epochs[shard] += 1
    for shard in streams:
        if streams[shard]:
            service.apply(offer(shard, back=1))
    lines = lines_in(folder)
    assert max(Counter(lines).values(), default=1) == 1
    for shard, made in streams.items():
        written = [line for line in lines if line.startswith(f"s{shard} ")]
        assert written == [f"s{shard} e{epoch} n{n} l0" for epoch, n in made]
