"""What all six roles share: the beat to their own keeper, the leases it answers with, the roster.

Composition, not a base class: a role owns one `Standing` and asks it.
"""

from msgspec.structs import replace

from daemons.model.clock import Mono, Now
from daemons.model.cluster import Epoch, RoleName
from daemons.roles.role import Call
from daemons.wire.messages import (
    Beat,
    Enrolled,
    Fenced,
    Lease,
    Leases,
    Member,
    Message,
    Placed,
    Report,
    Roster,
    Want,
)

BEAT_S = 0.2  # well below L/4 = 0.625: one lost beat must not cost a lease
HOLD_S = 2.0  # no acting for this long after the wall clock jumped
JUMP_S = 30.0  # a wall-clock jump worth holding for


class Standing:
    """Who this daemon is, what it holds, whom it obeys."""

    def __init__(
        self, name: str, role: RoleName, instance: str, pid: int, *, fenced: bool = True
    ) -> None:
        """Start with no lease and no roster: a standby.

        `fenced` False: leases never end and any arbiter is obeyed; only the drill's self-test wants that.
        """
        self.name = name
        self.role: RoleName = role
        self.instance = instance
        self.pid = pid
        self._fenced = fenced
        self.leases: dict[str, Lease] = {}
        self.degraded = False
        self.roster: Roster | None = None
        self.roster_heard: Mono = Mono(0.0)
        self._beat_due: float = 0.0
        self._beating = False
        self._offset: float | None = None  # wall minus mono, as last seen
        self.hold_until: float = 0.0

    def beat(self, wants: tuple[Want, ...], report: Report, now: Now) -> list[Call]:
        """Return the beat to the keeper when it is due. At most one is under way."""
        self._watch_clock(now)
        if now.mono < self._beat_due or self._beating:
            return []
        self._beat_due = now.mono + BEAT_S
        self._beating = True
        leases = tuple(self.leases.values())
        message = Beat(self.name, self.role, self.instance, self.pid, wants, self._dated(report), leases)
        return [Call("keeper", message, timeout_s=1.0, lane="beat")]

    def hurry(self) -> None:
        """Make the next beat due: the keeper should hear at once of what has changed."""
        self._beat_due = 0.0

    def beaten(self, answer: Message) -> None:
        """Take the keeper's answer to a beat: the leases held now. A failed beat changes nothing."""
        self._beating = False
        if isinstance(answer, Leases):
            held = {lease.name: lease for lease in answer.held}
            self.leases = held if self._fenced else self.leases | held
            self.degraded = answer.degraded

    def holds(self, lease: str, now: Now) -> Epoch:
        """Return the epoch `lease` is held under, 0 when it is not, or no longer."""
        held = self.leases.get(lease)
        if held is None or (self._fenced and now.mono >= held.until_mono):
            return 0
        return held.epoch

    def left_s(self, lease: str, now: Now) -> float:
        """Return how many seconds of `lease` are left; <= 0 when none."""
        held = self.leases.get(lease)
        return held.until_mono - now.mono if held is not None else 0.0

    def holding_back(self, now: Now) -> bool:
        """Return whether the wall clock jumped just now: monitor, but do not act yet."""
        return now.mono < self.hold_until

    def enrol(self, roster: Roster, report: Report, now: Now) -> Enrolled | Fenced:
        """Follow `roster` unless a newer arbiter has spoken."""
        known = self.roster
        older = known is not None and (roster.epoch, roster.n) < (known.epoch, known.n)
        if known is not None and older and self._fenced:
            if roster.epoch < known.epoch:
                return Fenced("arbiter", known.epoch)
        else:
            self.roster = roster
        self.roster_heard = now.mono
        return Enrolled(self.name, self.instance, self._dated(report))

    @property
    def epoch(self) -> Epoch:
        """Highest arbiter epoch this daemon obeys."""
        return self.roster.epoch if self.roster is not None else 0

    @property
    def member(self) -> Member | None:
        """This daemon's own line on the roster."""
        if self.roster is None:
            return None
        return next((m for m in self.roster.members if m.name == self.name), None)

    @property
    def shards(self) -> tuple[Placed, ...]:
        """All shards on the roster."""
        return self.roster.shards if self.roster is not None else ()

    def _dated(self, report: Report) -> Report:
        """With the number of the configuration that this daemon was told of, unless it knows better."""
        if report.config_n or self.roster is None:
            return report
        return replace(report, config_n=self.roster.config_n)

    def _watch_clock(self, now: Now) -> None:
        offset = now.wall - now.mono
        if self._offset is not None and abs(offset - self._offset) > JUMP_S:
            self.hold_until = now.mono + HOLD_S
        self._offset = offset
