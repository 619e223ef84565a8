"""The same configuration and the same commands through a scheduler of ours, in virtual time."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from daemons.config.load import load
from daemons.model.objects import ShardBody
from daemons.net.files import read
from daemons.wire.messages import Submit, Submitted
from tests.peers.nagios import SETTLE_S, TICK_S, Recorded, State, at
from tests.roles.stage import Stage

DAEMONS = "".join(
    f"define {kind}{{\n    {kind}_name {kind}\n    address 127.0.0.1\n}}\n"
    for kind in ("arbiter", "scheduler", "poller", "reactionner", "broker", "receiver")
)
MAIN = """\
cfg_file={objects}
interval_length=1
use_timezone=UTC
log_external_commands=0
log_passive_checks=0
low_service_flap_threshold=5
high_service_flap_threshold=20
low_host_flap_threshold=5
high_host_flap_threshold=20
passive_host_checks_are_soft={soft}
translate_passive_host_checks=0
enable_predictive_host_dependency_checks=0
enable_predictive_service_dependency_checks=0
"""


def replay(folder: Path, objects: str, steps: Sequence[Sequence[str]], soft: int = 1) -> Recorded:
    """Return what our scheduler does with what `nagios.record` gives to nagios4."""
    (folder / "ours.objects.cfg").write_text(objects)
    main = folder / "ours.cfg"
    main.write_text(MAIN.format(objects=folder / "ours.objects.cfg", soft=soft) + DAEMONS)
    loaded = load([str(main)], read)
    ((_, data),) = loaded.shards
    stage = Stage(msgspec.msgpack.decode(data, type=ShardBody))
    stage.wall_ahead_s += 0.1
    stage.start()
    states = []
    sent = 0
    for step in steps:
        items = []
        now = int(stage.now.wall)
        for command in step:
            sent += 1
            items.append(Submitted(f"c{sent}", f"[{now}] {at(command, now)}", stage.now.wall))
            stage.schedulers["one"].handle(Submit("recv", tuple(items[-1:])), stage.now)
        stage.run(TICK_S)
        states.append(_states(stage))
    stage.run(SETTLE_S)
    ring = stage.schedulers["one"].seats[1].owned.journal.ring
    return Recorded(tuple(line.text for line in ring.lines_after((0, 0))), tuple(states))


def _states(stage: Stage) -> dict[str, State]:
    owned = stage.schedulers["one"].seats[1].owned
    assert owned is not None
    return {
        key: {
            "has_been_checked": str(int(item.status.checked)),
            "current_state": str(item.status.state),
            "state_type": str(item.status.state_type),
            "last_hard_state": str(item.status.last_hard_state),
            "current_attempt": str(item.status.attempt),
            "plugin_output": item.status.output,
            "current_notification_number": str(item.status.notification_number),
            "problem_has_been_acknowledged": str(int(item.status.ack is not None)),
            "is_flapping": str(int(item.status.flapping)),
            "percent_state_change": f"{item.status.flap_percent:.2f}",
            "scheduled_downtime_depth": str(item.status.downtime_depth),
        }
        for key, item in owned.state.items.items()
    }
