"""A reactionner's claims at the keepers: the second copy of its journal.

The one thing to know: an action starts once a majority of the voting keepers has noted its claim in
time. One that may be a repeat needs no majority, since it says so, but waits so long that an earlier
claim of the same action has been decided before it starts. Each batch goes to all keepers at once.
"""

from typing import Literal

from daemons.ha.claims import Ballot
from daemons.model.clock import Now
from daemons.model.cluster import Cluster, Epoch
from daemons.roles.role import Call
from daemons.wire.claims import ActionClaim, ActionsClaimed, ActionsEnded, ClaimActions
from daemons.wire.messages import Action, ClaimedAction, Done, Fenced, Message

CLAIM_S = 0.5  # a majority must have noted a claim within so long
REPEAT_S = 0.6  # a repeat waits longer than that: what was claimed before it has begun, or never will
LANES = 4  # claims under way to one keeper
TELL_MAX = 1000  # ends told in one message
UNTOLD_MAX = 10_000  # ends kept for one keeper that is away; the oldest go
RETRY_S = 1.0

Verdict = Literal["wait", "run", "done", "taken", "unheard", "fenced"]


class _Keeper:
    """What is known of one keeper."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.busy: set[int] = set()  # lanes in use
        self.telling = False
        self.due_mono = 0.0
        self.untold: dict[str, tuple[int, ActionClaim | None]] = {}  # None = given back


class Claiming:
    """Ballots of the claims under way, and the ends that keepers do not know yet."""

    def __init__(self, me: str, cluster: Cluster) -> None:
        """Ask every keeper until one has said who votes. Without servers nobody is asked."""
        self._me = me
        self._keepers = {f"keeper@{s.name}": _Keeper(s.index) for s in cluster.servers}
        self._ballots: dict[str, Ballot] = {}
        self._voters = tuple(s.index for s in cluster.servers)  # until a keeper says better
        self._voter_set = -1
        self._again: list[tuple[str, ClaimActions]] = []

    def begin(self, actions: list[Action], now: Now) -> list[Call]:
        """Claim these: one message for each shard to each keeper."""
        if not self._keepers:
            return []
        groups: dict[tuple[int, Epoch], list[Action]] = {}
        for action in actions:
            self._ballots[action.id] = Ballot(now.mono, action.tagged)
            groups.setdefault((action.shard, action.epoch), []).append(action)
        calls = []
        for (shard, epoch), group in sorted(groups.items()):
            ids = tuple(action.id for action in group if not action.tagged)
            repeats = tuple(action.id for action in group if action.tagged)
            claim = ClaimActions(self._me, shard, epoch, ids, repeats)
            calls += [call for name in self._asked() for call in self._send(name, claim)]
        return calls

    def verdict(self, action_id: str, now: Now) -> Verdict:
        """Return what is to be done with a claimed action now; "run" also when nobody can be asked."""
        ballot = self._ballots.get(action_id)
        if ballot is None:
            return "run"
        waited_s = now.mono - ballot.since_mono
        if ballot.done is not None:
            return "done"
        if ballot.superseded(self._voters):
            return "fenced"
        if ballot.tagged:
            return "run" if waited_s >= REPEAT_S else "wait"
        if waited_s <= CLAIM_S and ballot.won(self._voters):
            return "run"
        if ballot.lost(self._voters):
            return "taken"
        return "unheard" if waited_s > CLAIM_S else "wait"

    def code(self, action_id: str) -> int:
        """Return how the action ended for whoever had run it before."""
        ballot = self._ballots.get(action_id)
        return ballot.done.code if ballot is not None and ballot.done is not None else 0

    def decided(self, action_id: str) -> None:
        """Count no more votes for this claim."""
        self._ballots.pop(action_id, None)

    def release(self, shard: int, action_id: str) -> None:
        """Tell the keepers that this was not started and will not be."""
        self.decided(action_id)
        self._tell_all(action_id, (shard, None))

    def done(self, shard: int, entry: ClaimedAction) -> None:
        """Tell the keepers that this has been run."""
        claim = ActionClaim(entry.id, self._me, "done", entry.epoch, entry.code, entry.tagged)
        self._tell_all(entry.id, (shard, claim))

    def tick(self, now: Now) -> list[Call]:
        """Return claims to be sent again, and the ends that keepers should know."""
        again, self._again = self._again, []
        calls = []
        for name, claim in again:
            ids = tuple(i for i in claim.ids if i in self._ballots)
            tagged = tuple(i for i in claim.tagged if i in self._ballots)
            if ids or tagged:
                claim = ClaimActions(claim.reactionner, claim.shard, claim.epoch, ids, tagged)
                calls += self._send(name, claim)
        return calls + [call for name in self._asked() for call in self._tell(name, now)]

    def answered(self, call: Call, answer: Message, now: Now) -> None:
        """Count a keeper's votes, or strike what it knows now."""
        keeper = self._keepers[call.to]
        match call.message, answer:
            case ClaimActions() as claim, ActionsClaimed():
                keeper.busy.discard(int(call.lane[6:]))
                if answer.voters and answer.voter_set > self._voter_set:
                    self._voters, self._voter_set = answer.voters, answer.voter_set
                for action_id in (*claim.ids, *claim.tagged):
                    if (ballot := self._ballots.get(action_id)) is not None:
                        ballot.hear(action_id, answer)
            case ClaimActions() as claim, Fenced():
                keeper.busy.discard(int(call.lane[6:]))
                for action_id in (*claim.ids, *claim.tagged):
                    if (ballot := self._ballots.get(action_id)) is not None:
                        ballot.fenced.add(call.to)
            case ClaimActions() as claim, _:
                keeper.busy.discard(int(call.lane[6:]))
                self._again.append((call.to, claim))
            case ActionsEnded() as told, _:
                keeper.telling = False
                if not isinstance(answer, Done):
                    keeper.due_mono = now.mono + RETRY_S
                    return
                for shard, done in told.done:
                    self._told(keeper, done.id, (shard, done))
                for shard, action_id in told.released:
                    self._told(keeper, action_id, (shard, None))

    # -- inside

    def _asked(self) -> list[str]:
        return [name for name, keeper in self._keepers.items() if keeper.index in self._voters]

    def _send(self, name: str, claim: ClaimActions) -> list[Call]:
        """Return the call in a free lane; without one it is as if lost."""
        busy = self._keepers[name].busy
        lane = next((n for n in range(LANES) if n not in busy), None)
        if lane is None:
            return []
        busy.add(lane)
        return [Call(name, claim, timeout_s=CLAIM_S, lane=f"claims{lane}")]

    def _tell_all(self, action_id: str, what: tuple[int, ActionClaim | None]) -> None:
        for keeper in self._keepers.values():
            keeper.untold[action_id] = what
            if len(keeper.untold) > UNTOLD_MAX:
                del keeper.untold[next(iter(keeper.untold))]

    def _tell(self, name: str, now: Now) -> list[Call]:
        keeper = self._keepers[name]
        if keeper.telling or not keeper.untold or now.mono < keeper.due_mono:
            return []
        keeper.telling = True
        some = list(keeper.untold.items())[:TELL_MAX]
        done = tuple((shard, claim) for _, (shard, claim) in some if claim is not None)
        released = tuple((shard, i) for i, (shard, claim) in some if claim is None)
        return [Call(name, ActionsEnded(self._me, done, released), lane="ends")]

    def _told(self, keeper: _Keeper, action_id: str, what: tuple[int, ActionClaim | None]) -> None:
        if keeper.untold.get(action_id) == what:
            del keeper.untold[action_id]
