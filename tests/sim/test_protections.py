"""Each protection, taken away: some seed must miss it. A protection that no test misses is not tested.

The seed known to miss it is tried first; after a change of the roles it may be another one.
"""

import pytest
from msgspec import Struct

from tests.sim.checkers import Violation
from tests.sim.cluster import Setup
from tests.sim.history import run

SEEDS = 40  # tried at most
STILL = ("vm*10",)
LATE = ("vm*10", "freeze*5", "loss*3", "loss:late*3")
NEWS = ("truth*12",)
SHOTS = ("shoot*10", *NEWS)


class Protection(Struct, frozen=True):
    """One protection and how it is missed."""

    name: str
    what: str  # happens without it
    caught: str  # the invariants that may say so
    seed: int = 0  # that misses it
    kinds: tuple[str, ...] = ()
    shared_store: bool = True
    drift: float = 0.01
    only: bool = False  # no other faults
    lease_s: float = 2.5
    language: bool = False

    @property
    def setup(self) -> Setup:
        """The cluster in which it is missed."""
        return Setup(
            without=frozenset((self.name,)), kinds=self.kinds, shared_store=self.shared_store,
            drift=self.drift, only=self.only, lease_s=self.lease_s,
            language=self.language,
        )  # fmt: skip


PROTECTIONS = (
    # who may act
    Protection("live-lease", "a voter grants what another holds", "I1"),
    Protection("persist", "disks forget what they are told", "I3", 0, ("keeper*10", "crash*6")),
    Protection("quarantine", "a voter grants at once after its start", "I1", 41, ("part*6", "keeper*10", "heal*3"), only=True),
    Protection("vouching", "a keeper vouches for what acts on", "I1 I2", 3),
    Protection("progress", "a keeper renews for daemons that hang", "P", 0, ("hang*5",)),
    Protection("lease-check", "who held a lease acts on after its end", "I1 I2", 3),
    # who obeys whom
    Protection("poller-fencing", "pollers obey any epoch", "I2 I12", 1, LATE, only=True),
    Protection("reactionner-fencing", "reactionners obey any epoch", "I2", 1, STILL + NEWS),
    Protection("broker-fencing", "brokers believe any owner", "I2 I9", 1, LATE, only=True),
    # nothing lost, nothing twice
    Protection("write-ahead", "output leaves before it is kept", "W"),
    Protection("retention", "a new owner starts from nothing", "I10 W"),
    Protection("result-fencing", "a late result is applied over a newer one", "R W", 1),
    Protection("kept-results", "a poller forgets a result once its owner has it", "I6", 3),
    Protection("command-ids", "a command that is sent again is obeyed again", "I8"),
    Protection("reminders", "a new owner looks at no standing problem by time alone", "M", language=True),
    Protection("number-kept", "a new owner does not know how often a problem was told", "M", 1, language=True),
    Protection("spool-first", "a receiver answers before the spool has it", "I8", 0, ("shoot*20",)),
)  # fmt: skip


@pytest.mark.timeout(600)  # after a change of the roles the seed must be searched for anew
@pytest.mark.parametrize("protection", PROTECTIONS, ids=[p.name for p in PROTECTIONS])
def test_a_protection_that_is_taken_away_is_missed(protection):
    for seed in (protection.seed, *range(SEEDS)):
        try:
            run(seed, protection.setup)
        except Violation as violation:
            invariant = str(violation).split()[2]
            assert invariant in protection.caught.split(), violation
            return
    pytest.fail(f"{SEEDS} seeds went well though {protection.what}")


@pytest.mark.parametrize("kinds", sorted({p.kinds for p in PROTECTIONS if p.kinds}), ids=str)
def test_the_same_faults_do_no_harm_with_all_protections(kinds):
    run(0, Setup(kinds=kinds))
