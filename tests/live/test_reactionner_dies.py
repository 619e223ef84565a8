"""F10: a reactionner is killed while a notification command runs: it is told again, tagged, same id."""

import os
import signal

from tests.live.cluster import Servers, wait_until


def test_a_notification_whose_reactionner_was_killed_is_told_again_tagged(running: Servers) -> None:
    known = {t.id for t in running.told()}

    def begun() -> list[str]:
        fresh = [t for t in running.told() if t.id not in known and "slow-alarm" in t.key]
        return [t.id for t in fresh if not t.ended]

    running.flag("slow-alarm")
    try:
        (told_id, *_) = wait_until(begun, 30, "a slow notification has begun")
        for reactionner in running.active("reactionner"):
            os.kill(reactionner.pid, signal.SIGKILL)
        wait_until(
            lambda: [t for t in running.told() if t.id == told_id and t.ended],
            30, "it was told again",
        )  # fmt: skip
        runs = [t for t in running.told() if t.id == told_id]
        assert [t.tagged for t in runs] == [False, True]
        assert not runs[0].ended
    finally:
        running.flag("slow-alarm", up=False)
    wait_until(lambda: running.whole, 30, "every daemon runs again")
