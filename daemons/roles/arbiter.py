"""The arbiter: cuts the configuration into shards and, while it leads, says who does what.

Whoever holds the lease "arbiter" leads; all others wait. The leader listens to every keeper and every
daemon, each in its own lane, plans with `ha.dispatch.plan` and repeats the outcome to all: a lost
roster is repaired by the next one. Its death stops nothing: shards keep their leases and the roster.
"""

import logging
from collections.abc import Callable

from msgspec.structs import replace

from daemons.ha.dispatch import Seen, View, plan
from daemons.ha.health import Health, Heard, judge
from daemons.model.clock import Mono, Now
from daemons.model.cluster import Cluster, DaemonDef, Epoch, epoch_n, roster_n
from daemons.roles.keeper import voting_keepers
from daemons.roles.leader.compiled import Compiled
from daemons.roles.leader.configuring import Configuring
from daemons.roles.leader.documents import Documents
from daemons.roles.leader.operations_desk import Desk
from daemons.roles.leader.voter_change import VoterChange
from daemons.roles.role import Call, Unexpected, Wait
from daemons.roles.standing import Standing
from daemons.wire.board import Convene, Gone, Revoke
from daemons.wire.configuration import (
    Compile,
    ConfigDocument,
    FilesAgree,
    Proposal,
    ProposalAsk,
    Propose,
    Reread,
)
from daemons.wire.documents import Keep, Recall
from daemons.wire.messages import (
    PAGE_BYTES_MAX,
    Census,
    CensusAsk,
    Done,
    Enrolled,
    Failed,
    Fenced,
    Fetch,
    LeaseSeen,
    Member,
    Message,
    NotMine,
    Page,
    Placed,
    Report,
    Roster,
    ShardHeld,
    Shutdown,
    Want,
)
from daemons.wire.operations import HandLead, Operate, OperationAsk

log = logging.getLogger(__name__)

LEASE = "arbiter"
CENSUS_S = 0.5  # between two questions to one keeper
SETTLE_S = 0.6  # a new leader listens this long before its first plan, unless all have spoken
SPARE_WAIT_S = 4.0  # a spare lets a master that starts with it lead first
OBITUARY_S = 5.0  # who ended shortly before this one led: its server was stopped with the last leader
FOLLOW_S = 20.0  # an arbiter that does not work from the leader's version for longer is a problem
LEAD_AGAIN_S = 4.0  # who gave the lead away, or was not named, claims it again after so long
REVOKE_S = 1.5  # a placement not taken up for so long: the former holder's lease is revoked


class Heardof:
    """What the leader remembers of one daemon between two plans."""

    def __init__(self, define: DaemonDef) -> None:
        """Never heard."""
        self.define = define
        self.at: Mono | None = None  # its last answer
        self.missed = 0
        self.asking = False
        self.due: float = 0.0
        self.sent: tuple[Epoch, int] = (0, 0)  # roster it was last sent
        self.instance = ""
        self.report = Report()
        self.gone = False
        self.health = Health("unknown", "not heard yet")


class Arbiter:
    """Role of an arbiter daemon."""

    tick_s = 0.1

    def __init__(
        self,
        *,
        name: str,
        instance: str,
        pid: int,
        cluster: Cluster,
        compiled: Compiled | None = None,
        head_of: Callable[[bytes], ConfigDocument | None] = lambda _: None,
        durable: bytes = b"",
        lease_s: float = 2.5,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Start as a standby. `compiled`: work from this for ever; else from the keepers and the own files.

        `head_of` reads a configuration document's head. `durable` is not used: an arbiter's memory is the cluster itself.

        `without` "fencing": lead on whoever else leads; only the drill's self-test wants that.
        """
        self.name = name
        self.instance = instance
        self.cluster = cluster
        self.lease_s = lease_s
        self.fenced = "fencing" not in without
        self.standing = Standing(name, "arbiter", instance, pid, fenced=self.fenced)
        self.define = cluster.daemon(name)
        by_index = {s.index: s.name for s in cluster.servers}
        self.documents = Documents(
            tuple(by_index.values()), frozenset(by_index[v] for v in voting_keepers(cluster) if v in by_index)
        )
        self.desk = Desk(name, cluster, self.documents)
        self.lead_not_before = 0.0  # mono: another arbiter is to lead first
        self.voter_change = VoterChange(cluster, voting_keepers(cluster))
        self.started: Mono | None = None
        self.leading: Epoch = 0
        self.led: Epoch = 0  # the last one: (epoch, n) of a roster never comes twice
        self.led_since: Mono = Mono(0.0)
        self.planned = False
        self.n = 0
        self.configuring = Configuring(self.documents, head_of, compiled)
        self.told_config = ""  # of the last roster
        self.told_mono = Mono(0.0)  # when that changed
        self.members: tuple[Member, ...] = ()
        self.placed: tuple[Placed, ...] = ()
        self.untaken: dict[int, Mono] = {}  # shards that their schedulers do not hold: since
        self.revoked_at: dict[int, Mono] = {}
        self.problems: tuple[str, ...] = ()
        self.others_config: dict[str, tuple[int, str]] = {}
        self.daemons: dict[str, Heardof] = {}
        self.obituaries: dict[str, tuple[Mono, str]] = {}  # daemon: when a keeper said that it ended, instance
        self.census: dict[str, tuple[Mono, Census]] = {}
        self.census_due: dict[str, float] = {}
        self.census_asking: set[str] = set()
        self.history: tuple[str, ...] = ()
        self.why = "waiting"
        self.leaving = False
        self.fenced_by: Epoch = 0

    # -- the three entries

    def handle(self, message: Message, now: Now) -> Message | Wait:
        """Serve shard pages, hear of the gone, follow another leader."""
        match message:
            case Fetch(shard, version, page):
                return self._page(shard, version, page)
            case Gone(_, instances, names):
                self.obituaries |= {name: (now.mono, who) for name, who in zip(names, instances, strict=False)}
                self._gone(instances)
                return Done()
            case Propose():
                return self.configuring.propose(message) if self.leading else self._not_leading()
            case Reread(by):
                return self.configuring.reread(by) if self.leading else self._not_leading()
            case ProposalAsk(digest):
                return self._proposal(digest) if self.leading else self._not_leading()
            case Roster():
                return self._other_leader(message, now)
            case Operate() | OperationAsk():
                return self._operate(message, now)
            case HandLead():
                return self._lead_next(message, now)
            case Shutdown():
                self.leaving = True
                self._step_down("stopping")
                return Done()
            case _:
                raise Unexpected(type(message).__name__)

    def tick(self, now: Now) -> list[Call]:
        """Beat; while leading: listen, plan, tell."""
        if self.started is None:
            self.started = now.mono
        calls = self.standing.beat(self._wants(now), self.report(), now)
        epoch = self.standing.holds(LEASE, now)
        if epoch < self.fenced_by and self.fenced:
            epoch = 0  # somebody obeys a higher one: claim above it
        if self.leaving or now.mono < self.lead_not_before:
            epoch = 0  # the keeper has not heard yet that it is given back
        if epoch != self.leading:
            self._step_down("the lease ran out") if not epoch else self._lead(epoch, now)
        calls += self.configuring.tick(bool(self.leading), self.standing.roster, now)
        if not self.leading:
            return calls
        calls += self._ask_keepers(now)
        self._judge(now)
        calls += self.voter_change.tick(self.leading, self.census, now)
        self.documents.voters = self.voter_change.voters() or self.documents.voters
        calls += self.documents.tick(now)
        if self.planned or (self.configuring.ready and self.documents.ready and self._settled(now)):
            self._plan(now)
            calls += self._tell(now)
            calls += self._revoke(now)
            ticked = self.desk.tick(now)
            calls += ticked.calls
            if ticked.give_lead:
                self.lead_not_before = now.mono + LEAD_AGAIN_S
                self._step_down("another arbiter is to lead")
                self.standing.hurry()
                calls += self.standing.beat(self._wants(now), self.report(), now)
        return calls

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Take what keepers and daemons say."""
        if call.lane == "beat":
            self.standing.beaten(answer)
        elif isinstance(call.message, CensusAsk):
            server = call.to.partition("@")[2]
            self.census_asking.discard(server)
            if isinstance(answer, Census):
                self.census[server] = (now.mono, answer)
                self._gone(answer.gone)
                self._introduced(answer, now)
                self.documents.heard(answer, now)
        elif isinstance(call.message, Compile | FilesAgree) or (call.to == "keeper" and isinstance(call.message, Recall)):
            return self.configuring.answered(call, answer, now)
        elif isinstance(call.message, HandLead):
            self.desk.answered(call)
        elif isinstance(call.message, Convene):
            self.voter_change.answered(call)
        elif isinstance(call.message, Keep | Recall):
            calls, highest = self.documents.answered(call, answer, now)
            if highest > self.leading and self.fenced:
                self.fenced_by = highest
                self._step_down(f"a keeper obeys epoch {epoch_n(highest)}")
            return calls if self.leading else []
        elif isinstance(call.message, Roster) and call.to in self.daemons:
            self._enrolled(self.daemons[call.to], answer, now)
        return []

    @property
    def durable_serial(self) -> int:
        """Nothing of its own: see __init__."""
        return 0

    def durable(self) -> bytes:
        """Nothing."""
        return b""

    def report(self) -> Report:
        """What status and console show of this arbiter."""
        epoch = self.leading or self.standing.epoch
        return Report(
            active=bool(self.leading),
            epoch=epoch,
            roster_n=self.n if self.leading else (self.standing.roster.n if self.standing.roster else 0),
            config=self.compiled.config,
            figures={"shards": len(self.compiled.shards)},
            problems=self.compiled.problems
            + self.configuring.problems
            + (self.problems + self.documents.problems if self.leading else ()),
            why=self.why,
            config_n=self.configuring.n,
        )

    @property
    def compiled(self) -> Compiled:
        """What is planned from."""
        return self.configuring.active

    def _not_leading(self) -> NotMine:
        roster = self.standing.roster
        return NotMine(f"{roster.leader} leads" if roster and roster.leader != self.name else "nobody leads yet")

    def _proposal(self, digest: str) -> Proposal:
        """How far a proposal has come, down to the daemons that do not run it yet."""
        said = self.configuring.state_of(digest)
        if said.state != "rolling out":
            return said
        behind = [] if self.told_config == self.compiled.config else [self.name]
        versions = {shard.id: shard.version for shard in self.compiled.shards}
        for heard in self.daemons.values():
            if heard.health.state == "dead":
                continue
            old = [s for s in heard.report.shards if versions.get(s.id, s.version) != s.version]
            if heard.report.roster_n < self.n or heard.report.epoch < self.leading or old:
                behind.append(heard.define.name)
        state = "rolling out" if behind else "done"
        return replace(said, state=state, behind=tuple(behind), epoch=self.leading)

    # -- leading or not

    def _wants(self, now: Now) -> tuple[Want, ...]:
        if self.leaving or not self.configuring.may_lead or now.mono < self.lead_not_before:
            return ()
        spare = self.define is not None and self.define.spare
        waited = self.started is not None and now.mono - self.started >= SPARE_WAIT_S
        if spare and not waited and not self.leading:
            return ()
        return (Want(LEASE, fenced_by=self.fenced_by),)

    def _lead(self, epoch: Epoch, now: Now) -> None:
        self.leading = epoch
        self.led_since = now.mono
        self.planned = False
        self.documents.lead(epoch, now)
        self.configuring.lead()
        self.desk.lead(epoch)
        self.why = "took the lead"
        if epoch != self.led:  # else it only thought it had lost the lease: its own plan goes on
            roster = self.standing.roster
            self.led, self.n = epoch, 0
            self.members = roster.members if roster else ()
            self.placed = roster.shards if roster else ()
        self.untaken, self.revoked_at = {}, {}
        self.census, self.census_asking, self.census_due = {}, set(), {}
        self.daemons = {d.name: Heardof(d) for d in self.cluster.daemons if d.name != self.name}
        for name, (at, instance) in self.obituaries.items():
            if name in self.daemons and now.mono - at < OBITUARY_S:
                self.daemons[name].instance, self.daemons[name].gone = instance, True
        log.info("took the lead arbiter=%s epoch=%d", self.name, epoch_n(epoch))

    def _step_down(self, why: str) -> None:
        if self.leading:
            log.warning("no longer leads arbiter=%s epoch=%d why=%r", self.name, epoch_n(self.leading), why)
            self.why = f"no longer leads: {why}"
        self.leading = 0

    def _other_leader(self, roster: Roster, now: Now) -> Message:
        """A leader enrols arbiters too, so that a spare knows the plan it may have to go on with."""
        if self.leading and roster.epoch < self.leading:
            return Fenced(LEASE, self.leading)
        if self.leading and roster.epoch > self.leading and self.fenced:
            self.fenced_by = roster.epoch
            self._step_down(f"{roster.leader} leads with a higher epoch")
        return self.standing.enrol(roster, self.report(), now)

    def _operate(self, message: Operate | OperationAsk, now: Now) -> Message:
        """An operator's order or question: only the leader answers it."""
        if not self.leading:
            leader = self.standing.roster.leader if self.standing.roster else ""
            return NotMine(f"{self.name} does not lead; {leader or 'nobody'} did when it last heard")
        if isinstance(message, Operate):
            return self.desk.operate(message, now)
        return self.desk.asked(message, now)

    def _lead_next(self, hand: HandLead, now: Now) -> Message:
        """The leader names who leads after it: whoever is not named lets that one go first."""
        if self.leading or hand.epoch < self.standing.epoch:
            return Fenced(LEASE, max(self.leading, self.standing.epoch))
        self.lead_not_before = 0.0 if hand.to == self.name else now.mono + LEAD_AGAIN_S
        self.standing.hurry()
        return Done()

    # -- listening

    def _ask_keepers(self, now: Now) -> list[Call]:
        calls = []
        for server in self.cluster.servers:
            if server.name in self.census_asking or now.mono < self.census_due.get(server.name, 0.0):
                continue
            self.census_asking.add(server.name)
            self.census_due[server.name] = now.mono + CENSUS_S
            calls.append(Call(f"keeper@{server.name}", CensusAsk(), timeout_s=1.0, lane="census"))
        return calls

    def _enrolled(self, heard: Heardof, answer: Message, now: Now) -> None:
        heard.asking = False
        match answer:
            case Enrolled(_, instance, report):
                heard.at, heard.missed = now.mono, 0
                if instance != heard.instance:
                    heard.gone = False
                heard.instance, heard.report = instance, report
                self.desk.reported(heard.define.name, report)
            case Fenced(_, highest):
                if highest > self.leading and self.fenced:
                    self.fenced_by = highest
                    self._step_down(f"{heard.define.name} obeys epoch {highest}")
            case Failed():
                heard.missed += 1
            case _:
                heard.missed += 1

    def _introduced(self, census: Census, now: Now) -> None:
        """Before the first roster nobody has answered it: a keeper says what its daemons do, to adopt that."""
        for seen in census.daemons:
            heard = self.daemons.get(seen.name)
            if heard is None or heard.at is not None or not seen.running or not 0 <= seen.beat_age_s < 1.0:
                continue
            heard.gone = heard.gone and seen.instance == heard.instance
            heard.at, heard.instance, heard.report = now.mono, seen.instance, seen.report

    def _gone(self, instances: tuple[str, ...]) -> None:
        for heard in self.daemons.values():
            if heard.instance and heard.instance in instances and not heard.gone:
                heard.gone = True
                heard.due = 0.0
                log.warning("ended daemon=%s instance=%s", heard.define.name, heard.instance)

    def _judge(self, now: Now) -> None:
        silence = self._keeper_silence(now)
        for heard in self.daemons.values():
            health = judge(
                Heard(
                    since_s=now.mono - heard.at if heard.at is not None else -1.0,
                    missed=heard.missed,
                    gone=heard.gone,
                    keeper_silent_s=silence.get(heard.define.address, -1.0),
                    led_s=now.mono - self.led_since,
                    needs_lease=self.fenced and heard.define.role == "scheduler",
                ),
                heard.define.max_check_attempts,
                self.lease_s,
            )
            if health.state != heard.health.state and (health.state, heard.health.state) != ("alive", "unknown"):
                log.warning("daemon=%s is %s, was %s, why=%r", heard.define.name, health.state, heard.health.state, health.why)
            heard.health = health

    def _keeper_silence(self, now: Now) -> dict[str, float]:
        """Seconds since each server's keeper was heard, by address: by me or by any keeper I hear."""
        silence: dict[str, float] = {}
        address = {s.name: s.address for s in self.cluster.servers}
        for at, census in self.census.values():
            since = now.mono - at
            where = address.get(census.server, "")
            silence[where] = min(since, silence.get(where, since))
            if since > self.lease_s:
                continue  # what it said of others is as old as itself
            for other in census.servers:
                if other.age_s >= 0 and other.name in address:
                    age = other.age_s + since
                    silence[address[other.name]] = min(age, silence.get(address[other.name], age))
        return silence

    def _settled(self, now: Now) -> bool:
        """Has everybody spoken or been judged, or has the time to listen run out?"""
        if now.mono - self.led_since >= SETTLE_S:
            return True
        return all(h.health.state in ("alive", "dead") for h in self.daemons.values())

    # -- planning and telling

    def _plan(self, now: Now) -> None:
        was_active = {m.name for m in self.members if m.active}
        seen = tuple(
            Seen(
                define=h.define,
                health=h.health.state,
                active=h.define.name in was_active
                if self.members
                else (h.report.active and h.health.state == "alive"),
                holds=h.report.shards if h.health.state in ("alive", "suspect") else (),
            )
            for h in self.daemons.values()
        )
        me = Seen(self.define, "alive", True) if self.define else None
        view = View(self.name, seen + ((me,) if me else ()), self.compiled.shards, self.placed, realms=self.cluster.realms)
        view = self.desk.guided(view, now)
        fresh = plan(view)
        self.desk.planned(view, fresh, now)
        self.planned = True
        self.problems = fresh.problems + self.voter_change.problems() + self._differing(now) + self.desk.problems(now)
        if fresh.members == self.members and fresh.shards == self.placed and self.n and (
            self.told_config == self.compiled.config
        ):
            return
        before = {shard.id: shard.scheduler for shard in self.placed}
        for shard in fresh.shards:
            if shard.scheduler != before.get(shard.id):
                revoked = self.revoked_at.pop(shard.id, None) is not None  # for another: at once again
                at_once = revoked or self.desk.paused(now)  # while paused voters let nobody else have it
                self.untaken[shard.id] = Mono(now.mono - REVOKE_S) if at_once else now.mono
        for why in fresh.why:
            log.warning("plan epoch=%d: %s", epoch_n(self.leading), why)
        self.members, self.placed = fresh.members, fresh.shards
        if self.told_config != self.compiled.config:
            self.told_config, self.told_mono = self.compiled.config, now.mono
        self.n = roster_n(self.n, self.configuring.n)
        if fresh.why:
            self.why = "; ".join(fresh.why)
            self.history = (*self.history[-49:], self.why)

    def _differing(self, now: Now) -> tuple[str, ...]:
        """Arbiters that made something else of the same version, or are long in following."""
        mine = (self.configuring.n, self.compiled.config)
        late = now.mono - self.told_mono > FOLLOW_S
        return tuple(
            f"{name} has another configuration ({config}) than the leader ({self.compiled.config})"
            for name, (n, config) in sorted(self.others_config.items())
            if config and (n, config) != mine and (n == mine[0] or late)
        )

    def roster(self) -> Roster:
        """Return the roster as it stands."""
        return Roster(
            self.leading, self.n, self.name, self.members, self.placed, self.compiled.config,
            self.configuring.n, self.compiled.digest,
        )  # fmt: skip

    def _tell(self, now: Now) -> list[Call]:
        """The roster to each daemon: at once when it changed, else each check_interval."""
        calls = []
        roster = self.roster()
        self.others_config = {
            h.define.name: (h.report.config_n, h.report.config) for h in self.daemons.values() if h.define.role == "arbiter"
        }
        for heard in self.daemons.values():
            stale = heard.sent != (roster.epoch, roster.n) and heard.missed == 0
            stale = stale or heard.define.name in self.desk.watched
            if heard.asking or not (stale or now.mono >= heard.due):
                continue
            heard.asking, heard.sent = True, (roster.epoch, roster.n)
            heard.due = now.mono + heard.define.check_interval_s
            calls.append(Call(heard.define.name, roster, timeout_s=heard.define.timeout_s, lane="roster"))
        return calls

    def _revoke(self, now: Now) -> list[Call]:
        """Free a lease for the scheduler that should have it and has not taken it up.

        Whoever keeps it: a holder that neither hears nor lets go, or an older revocation in favour of
        another, of this leader or of one before it. So it is repeated until the lease is taken up.
        """
        calls = []
        for shard in self.placed:
            heard = self.daemons.get(shard.scheduler)
            if heard is None or any(h.id == shard.id and h.epoch for h in heard.report.shards):
                self.untaken.pop(shard.id, None)
                continue
            since = self.untaken.setdefault(shard.id, now.mono)
            lease = f"shard/{shard.id}"
            promised = self._promised(lease)
            if shard.id in self.desk.planned_moves() and self._held_still(shard.id):
                continue  # its owner hands it over itself, or goes on
            if any(s.name == lease and s.epoch == promised and s.left_s > 0 and s.holder == heard.instance for s in self._leases()):
                continue  # it has it, its report is on its way; revoked now, the next owner would be refused
            if not promised or now.mono - max(since, self.revoked_at.get(shard.id, since)) < REVOKE_S:
                continue
            self.revoked_at[shard.id] = now.mono
            order = Revoke(self.leading, lease, promised, shard.scheduler)
            log.warning("revokes lease=%s epoch=%d for=%s", lease, epoch_n(promised), shard.scheduler)
            calls += [
                Call(f"keeper@{s.name}", order, timeout_s=1.0, lane="revoke") for s in self.cluster.servers
            ]
        return calls

    def _promised(self, lease: str) -> Epoch:
        """The highest epoch of `lease` that any voter speaks of, 0 if none does."""
        return max((seen.epoch for seen in self._leases() if seen.name == lease), default=0)

    def _leases(self) -> list[LeaseSeen]:
        """What every voter says of every lease."""
        return [seen for _, census in self.census.values() for seen in census.leases]

    def _held_still(self, shard: int) -> bool:
        """Whether any scheduler says that it owns `shard`."""
        return any(h.id == shard and h.epoch for heard in self.daemons.values() for h in heard.report.shards)

    # -- shard bodies

    def _page(self, shard: int, version: str, page: int) -> Message:
        body = self.compiled.bodies.get(version)
        if body is None:
            return NotMine(f"shard {shard} version {version} is not of my configuration")
        pages = max(1, -(-len(body) // PAGE_BYTES_MAX))
        if not 0 <= page < pages:
            return NotMine(f"shard {shard} has {pages} pages, not {page + 1}")
        return Page(shard, version, page, pages, body[page * PAGE_BYTES_MAX : (page + 1) * PAGE_BYTES_MAX])


__all__ = ["Arbiter", "Compiled", "ShardHeld"]
