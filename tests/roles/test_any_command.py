"""Whatever external command comes, however it is filled in: nothing raises, on no part of its way."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemons.model.objects import ShardBody
from daemons.model.status import ContactStatus, ShardStatus, Status
from daemons.roles.role import Wait
from daemons.rules.command_table import COMMANDS, Shape
from daemons.rules.modattr import BITS, mask, names
from daemons.wire.messages import Accepted, Submit, Submitted
from tests.roles.test_obeying import family
from tests.roles.test_receiver import Bench, line

NOW = 1_800_001_000
HOSTS = ("gw", "web1", "db1", "app1", "mars")
VALUES: dict[str, st.SearchStrategy[str]] = {
    "host": st.sampled_from(HOSTS),
    "service": st.builds("{};{}".format, st.sampled_from(HOSTS), st.sampled_from(("http", "ssh"))),
    "description": st.sampled_from(("http", "", "ssh")),
    "contact": st.sampled_from(("ann", "bob")),
    "hostgroup": st.sampled_from(("front", "none")),
    "servicegroup": st.sampled_from(("webs", "none")),
    "contactgroup": st.sampled_from(("admins", "none")),
    "period": st.sampled_from(("nights", "days")),
    "command": st.sampled_from(("check!a", "other", "nothing", "other!" + "x;y")),
    "handler": st.sampled_from(("repair", "nothing", "")),
    "variable": st.sampled_from(("RACK", "_port", "a b", "$X$", "é")),
    "interval": st.sampled_from(("0", "0.001", "5", "2.5", "2147483647", "-1", "9999999999")),
    "time": st.integers(NOW - 2000, NOW + 2000).map(str) | st.sampled_from(("0", "-1", "8589934592", "8589934593")),
    "text": st.text(max_size=20),
    "author": st.text(st.characters(exclude_characters=";\n"), max_size=8),
}
NUMBERS = st.integers(-3, 9).map(str) | st.sampled_from(("2147483647", "4294967296", "1.0", "yes", "x", "", "65537"))


def of(shape: Shape) -> st.SearchStrategy[str]:
    """Arguments for a command, most of them of the right kind."""
    parts = [VALUES.get(kind, NUMBERS) | st.text(max_size=3) for kind in shape.kinds]
    right = [VALUES.get(kind, NUMBERS) for kind in shape.kinds]
    some = st.tuples(*right) | st.tuples(*right) | st.tuples(*parts) | st.lists(st.text(max_size=5), max_size=9)
    return some.map(lambda args: ";".join(args))


LINES = st.sampled_from(sorted(COMMANDS)).flatmap(
    lambda name: of(COMMANDS[name]).map(lambda args: f"[{NOW}] {name};{args}")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES | st.text(max_size=30), min_size=20, max_size=60))
def test_no_line_raises_in_a_scheduler_and_what_is_kept_stays_whole(lines):
    stage = family()
    owned = stage.schedulers["one"].seats[1].owned
    state = owned.state
    for number, text in enumerate(lines):
        items = (Submitted(f"c{number}", text, stage.now.wall),)
        answer = stage.schedulers["one"].handle(Submit("recv", items), stage.now)
        assert isinstance(answer, (Accepted, Wait))
        stage.run(0.1)
        stage.exchange()
    stage.run(3.0)
    assert stage.schedulers["one"].seats[1].owned is owned
    for item in state.items.values():
        status = item.status
        assert 1 <= status.attempt <= max(1, item.traits.max_check_attempts)
        assert status.notification_number >= 0
        assert item.traits.check_interval_s >= 0
        assert len({d.id for d in status.downtimes}) == len(status.downtimes)
        assert mask(status.modified) < 2**17 and len(names(mask(status.modified))) <= 17
        assert all(name in BITS or name.startswith("_") or name == "host_dependencies" for name in status.modified)
    whole = state.records()
    for key, value in whole.items():
        kind = {"o/": Status, "c/": ContactStatus}.get(key[:2], ShardStatus if key == "shard" else None)
        if kind is not None:
            msgspec.msgpack.decode(value, type=kind)
    # and whoever takes over can go on from it, with the same files and with others
    stage.run(1.0)
    stage.kill("one")
    stage.shard = msgspec.structs.replace(stage.shard, commands=stage.shard.commands[:2], periods=())
    stage.version = "v2"
    two = stage.start("two")
    stage.run(2.0)
    assert two.seats[1].owned.state.status.modified == state.status.modified


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES | st.text(max_size=30), min_size=1, max_size=20))
def test_no_line_raises_in_a_receiver(lines):
    bench = Bench()
    items = tuple(line(f"x{number}", text) for number, text in enumerate(lines))
    bench.submit(*items)
    bench.tick()
    answer = bench.submit(*items)
    assert isinstance(answer, Accepted)
    assert len(answer.durable) + len(answer.refused) == len(items)


def test_the_strategy_knows_every_kind_of_a_name():
    kinds = {kind for shape in COMMANDS.values() for kind in shape.kinds}
    numbers = {
        "attempts", "code", "count", "delete", "duration", "fixed", "mask", "notify", "number", "options", "path",
        "persistent", "sticky", "trigger",
    }  # fmt: skip
    assert kinds - VALUES.keys() <= numbers
    assert ShardBody.__struct_fields__
