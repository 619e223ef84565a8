"""What of the monitoring language could be lost or done twice: reminders, escalations, dependencies, rules, bookings.

One host beside the others, with one problem each that begins in the first act and is cured at the end, so that
the numbers of its notifications must go up by one from owner to owner. Broken is said with "M" before it.
What wall clocks differed by is allowed for everywhere: intervals, downtimes and expiries are wall time.
"""

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from daemons.model.status import HARD
from daemons.roles.shard.owned import OwnedShard
from tests.sim.network import WALL
from tests.sim.relations import (
    AGAIN,
    ESCALATES,
    FRESH,
    HOST,
    INTERVAL_S,
    LEANS,
    REPEATED,
    RULE,
    SILENT,
    STALE_S,
)
from tests.sim.sender import Given, Sender

if TYPE_CHECKING:
    from tests.sim.cluster import World
    from tests.sim.network import Node
    from tests.sim.services import Ran

RESULT_FIRST_S = 15.0  # rules.remind: after a take-over a result may come first
SLACK_S = 5.0  # planned, kept, fetched, run
CALM_S = RESULT_FIRST_S + 2 * INTERVAL_S + SLACK_S
SAID = re.compile(r"say (\S+) (\w+) (\w+) (\d+) (\w+) (.*)")


class Language:
    """Lets it happen, and judges what was told."""

    def __init__(self, world: "World", sender: Sender) -> None:
        """Everything begins within the first minute."""
        self.world = world
        self.sim = world.sim
        self.sender = sender
        self.given: dict[str, Given] = {}
        self.apart_s = 0.0  # what wall clocks differed by, at most
        self.said: dict[str, list[tuple[int, Ran]]] = defaultdict(list)  # problems, by key: number
        self.planned: dict[tuple[str, int], float] = {}  # wall, by key and number
        self.ids: dict[str, set[str]] = defaultdict(set)  # of all that was said, by key
        self.dependent_since_s = 0.0  # AGAIN is a hard problem of the newest owner; 0 = it is not
        self.silent_boss: tuple[float, float] = (0.0, 0.0)  # a downtime of that contact, wall
        self.silent_boss_id = ""
        pick = self.sim.random.uniform
        self._at(pick(8.0, 20.0), lambda: self._break(AGAIN))
        self._at(pick(8.0, 25.0), lambda: self._result(2))
        self._at(pick(30.0, 50.0), lambda: self._break(LEANS))
        self._at(pick(25.0, 45.0), self._acknowledge)
        self._at(pick(15.0, 45.0), self._downtime)
        self._at(pick(30.0, 50.0), self._boss_away)

    # -- what happens

    def _at(self, at_s: float, act) -> None:
        self.sim.later(at_s, None, act)

    def _break(self, key: str) -> None:
        self.world.broken.add(key)
        self.world.broke[key] += 1
        self.sim.note(f"{key} is broken")

    def _give(self, kind: str, line: str) -> Given:
        name = f"lang-{len(self.given)}"
        given = Given(name, kind, "", f"[{int(self._wall())}] {line.replace('$ID$', name)}")
        self.given[name] = given
        self.sim.note(f"{name}: {given.line}")
        self.sender.submit(given)
        return given

    def _wall(self) -> float:
        return WALL + self.sim.now_s

    def _result(self, code: int) -> None:
        self._give("result", f"PROCESS_SERVICE_CHECK_RESULT;{SILENT};{code};$ID$")

    def _acknowledge(self) -> None:
        expires = int(self._wall() + 10.0)
        self._give("ack", f"ACKNOWLEDGE_SVC_PROBLEM_EXPIRE;{SILENT};1;0;0;{expires};ann;$ID$")

    def _downtime(self) -> None:
        start = int(self._wall() + 2.0)
        self._give("downtime", f"SCHEDULE_SVC_DOWNTIME;{FRESH};{start};{start + 8};1;0;0;ann;$ID$")

    def _boss_away(self) -> None:
        start = int(self._wall())
        self.silent_boss = (start, start + 10.0)
        line = f"SCHEDULE_CONTACT_DOWNTIME;boss;{start};{start + 10};ann;$ID$"
        self.silent_boss_id = self._give("boss", line).id

    def settle(self, owned: OwnedShard) -> str:
        """Return what of the problems here is not known yet, "" when all is; repeats what was lost."""
        statuses = owned.state.items
        broken = AGAIN in self.world.broken
        if (statuses[SILENT].status.state != 0) != broken:
            if all(given.accepted for given in self.given.values()):
                self._result(2 if broken else 0)
            return f"{SILENT} is {statuses[SILENT].status.state}"
        for key in (AGAIN, RULE):
            status = statuses[key].status
            if (status.state != 0) != broken or status.state_type != HARD:
                return f"{key} is {status.state}, the truth is {'broken' if broken else 'well'}"
        leans = statuses[LEANS].status
        if not broken and leans.state == 0:
            return f"{LEANS} may be checked again, and was not"
        if not broken and any(s.status.told for s in (statuses[AGAIN], statuses[SILENT])):
            return "the recovery was not planned"
        return ""

    def cure(self) -> None:
        """Let the problems be over, but for the one that was hidden by another."""
        self.sim.note(f"{HOST} is cured")
        self.world.broken.discard(AGAIN)
        self._result(0)
        self._give("quiet", "DISABLE_SERVICE_FRESHNESS_CHECKS")  # each would be a line in the log

    # -- what is judged at every instant

    def runs(self, ran: "Ran") -> str:
        """Return what is wrong with this notification, "" when nothing is."""
        match = SAID.match(ran.command)
        if match is None:
            return ""
        key, kind, _, text, contact, comment = match.groups()
        number, told = int(text), self.said[key]
        self.ids[key].add(ran.id)
        if kind == "PROBLEM" and key in REPEATED:
            told.append((number, ran))
            if contact != ("boss" if number >= ESCALATES else "ann"):
                return f"number {number} of {key} went to {contact}"
            if ran.tagged or self._unsure(key):
                return ""
            before = [was for n, was in told if n >= number and was.id != ran.id]
            if before:
                return f"number {number} of {key} is told after {before}"
        elif kind in ("DOWNTIMESTART", "DOWNTIMEEND"):
            once = [n for n, was in self.said[f"{kind} {comment}"] if was.id != ran.id]
            self.said[f"{kind} {comment}"].append((number, ran))
            if once and not ran.tagged and not self._unsure(key):
                return f"{kind} of {comment!r} is told twice"
        return ""

    def look(self, node: "Node", owned: OwnedShard) -> str:
        """Return what is wrong with what an owner has planned, "" when nothing is."""
        skews = [server.skew_s for server in self.sim.servers.values()]
        self.apart_s = max(self.apart_s, max(skews) - min(skews), *(abs(skew) for skew in skews))
        if owned.epoch < self.world.checker.newest:
            return ""
        again = owned.state.items[AGAIN].status
        if again.last_hard_state == 0:
            self.dependent_since_s = 0.0
        elif not self.dependent_since_s:
            self.dependent_since_s = self.sim.now_s
        for key in REPEATED:
            status, told = owned.state.items[key].status, max((n for n, _ in self.said[key]), default=0)
            if status.state != 0 and status.notification_number < told and not self._unsure(key):
                return f"{key} is at number {status.notification_number} after {told} was told"
        for planned in owned.outbox._planned.values():
            match = SAID.match(planned.command)
            if match is None or planned.epoch != owned.epoch:
                continue
            key, kind, _, text, contact, _ = match.groups()
            wall, place = planned.planned_wall, (key, int(text))
            if kind == "PROBLEM" and key in REPEATED and self.planned.get(place) != wall:
                self.planned[place] = wall  # who takes it over leaves the time as it is
                if why := self._planned_wrongly(key, int(text), contact, wall):
                    return why
        return ""

    def _planned_wrongly(self, key: str, number: int, contact: str, wall: float) -> str:
        before = self.planned.get((key, number - 1))
        if before is not None and wall - before < INTERVAL_S - self.apart_s - 0.1 and not self._unsure(key):
            return f"number {number} of {key} is planned {wall - before:.1f} s after the one before"
        begin, end = self.silent_boss
        kept = self.world.checker.keeping.promised.get(f"x/{self.silent_boss_id}")
        away = contact == "boss" and kept is not None and f"x/{self.silent_boss_id}" not in self.world.checker.keeping.lost
        if away and max(begin, WALL + kept.at_s) + self.apart_s + 1.0 < wall < end - self.apart_s:
            return f"number {number} of {key} is for the boss, who is in a downtime"
        return ""

    def checks(self, key: str) -> str:
        """Return what is wrong with a check of `key` that begins now."""
        since_s = self.dependent_since_s
        if key == LEANS and since_s and self.sim.now_s - since_s > SLACK_S and not self.world.setup.two_sided:
            return f"{LEANS} is checked though {AGAIN} has been critical for {self.sim.now_s - since_s:.1f} s"
        return ""

    def _unsure(self, key: str) -> bool:
        """What was said of it may be unknown to its owner: nobody could keep it."""
        checker = self.world.checker
        lost = checker.keeping.lost
        return (
            self.world.setup.two_sided
            or len(checker.lineages[key]) > 1
            or f"o/{key}" in lost
            or any(f"a/{name}" in lost for name in self.ids[key])
        )

    # -- what is judged in the end

    def standing(self, owned: OwnedShard) -> list[str]:
        """Return what was missed while the problems stood and all was calm for CALM_S."""
        found = []
        late_s = RESULT_FIRST_S + INTERVAL_S + SLACK_S + self.apart_s
        for key in REPEATED:
            last = max((ran.at_s for _, ran in self.said[key]), default=0.0)
            if self.sim.now_s - last > late_s:
                found.append(f"M {key} was told of {self.sim.now_s - last:.1f} s ago: its reminders are missed")
        fresh = owned.state.items[FRESH].status
        run = (FRESH, fresh.applied_epoch, fresh.applied_seq)
        if not fresh.checked or self.sim.now_s - self.world.checker.run_at_s[run] > STALE_S + SLACK_S + self.apart_s:
            found.append(f"M {FRESH} is stale and was not checked")
        if fresh.downtimes and self.apart_s < 2.0:
            found.append(f"M a downtime of {FRESH} has not ended: {fresh.downtimes}")
        if fresh.checked and fresh.state != 0:
            found.append(f"M {FRESH} is {fresh.state}")
        return found

    def wrong(self) -> list[str]:
        """Return what is wrong at the end, when all is well again."""
        found = []
        for key in REPEATED:
            numbers = {number for number, _ in self.said[key]}
            missing = set(range(1, max(numbers, default=0))) - numbers
            if missing and not self._unsure(key):
                found.append(f"M numbers {sorted(missing)} of {key} were never told")
        return found
