"""Documents at the keepers: what a leader committed is what every later leader starts from."""

import random
from hashlib import sha256

import pytest

from daemons.model.clock import Mono, Now, Wall
from daemons.roles.keeping.documents_kept import STORE_S, KeptDocuments
from daemons.roles.leader.documents import MAJORITY_S, Documents
from daemons.roles.role import Call, Wait
from daemons.wire.documents import DocSeen, Keep, Kept, Recall, Recalled, StoreDocument
from daemons.wire.messages import (
    PAGE_BYTES_MAX,
    Census,
    Done,
    Failed,
    Fenced,
    LeaseSeen,
    Message,
    NotMine,
)

DOC = "configuration"
NAMES = ("server1", "server2", "server3")


def at(mono: float) -> Now:
    return Now(Mono(mono), Wall(1_800_000_000.0 + mono))


def keep(epoch, n, data, page=0, pages=1):
    return Keep(DOC, epoch, n, sha256(data).hexdigest(), page, pages, data)


class Keeper:
    """A keeper's documents, a disk that may be slow or full, and what it promised."""

    def __init__(self, kept: KeptDocuments | None = None) -> None:
        self.kept = kept or KeptDocuments()
        self.promised = 0
        self.orders: list[Call] = []

    def take(self, message: Keep, mono: float) -> Message | Wait:
        answer, calls = self.kept.keep(message, self.promised, at(mono))
        self.orders += calls
        return answer

    def disk(self, answer: Message | None = None) -> None:
        for call in self.orders:
            assert isinstance(call.message, StoreDocument)
            self.kept.stored_now(call.message, answer or Done(), self.promised)
        self.orders.clear()

    def census(self, name: str) -> Census:
        leases = (LeaseSeen("arbiter", self.promised, "i", 1.0),)
        return Census(name, "k", 1, leases=leases, documents=self.kept.seen())


class World:
    """Three keepers that obey at once, and leaders."""

    def __init__(self, names=NAMES) -> None:
        self.mono = 100.0
        self.keepers = {name: Keeper() for name in names}
        self.silent: set[str] = set()

    def leader(self, epoch: int) -> Documents:
        leader = Documents(tuple(self.keepers), frozenset(self.keepers))
        self.lead(leader, epoch)
        return leader

    def lead(self, leader: Documents, epoch: int) -> None:
        for name, keeper in self.keepers.items():
            if name not in self.silent:
                keeper.promised = epoch
        leader.lead(epoch, at(self.mono))

    def run(self, leader: Documents, seconds: float = 1.0) -> int:
        """Run the leader; return the epoch that fenced it, 0 = none."""
        for _ in range(round(seconds / 0.1)):
            self.mono += 0.1
            for name, keeper in self.keepers.items():
                if name not in self.silent:
                    leader.heard(keeper.census(name), at(self.mono))
            calls = leader.tick(at(self.mono))
            while calls:
                call = calls.pop(0)
                more, fenced = leader.answered(call, self.answer(call), at(self.mono))
                if fenced:
                    return fenced
                calls += more
        return 0

    def answer(self, call: Call) -> Message:
        name = call.to.partition("@")[2]
        keeper = self.keepers[name]
        if name in self.silent:
            return Failed("silent")
        if isinstance(call.message, Recall):
            return keeper.kept.recall(call.message)
        answer = keeper.take(call.message, self.mono)
        if isinstance(answer, Wait):
            keeper.disk()
            answer = keeper.take(call.message, self.mono)
        assert not isinstance(answer, Wait)
        return answer

    def held(self) -> dict[str, tuple[int, int]]:
        return {
            name: (seen.epoch, seen.n) for name, k in self.keepers.items() for seen in k.kept.seen()
        }


# -- a keeper


def test_a_document_is_told_as_kept_once_it_is_on_disk():
    keeper = Keeper()
    message = keep(5, 1, b"text")
    assert isinstance(keeper.take(message, 1), Wait)
    assert keeper.kept.seen() == ()
    keeper.disk()

    assert keeper.take(message, 1.1) == Kept(DOC, 5, 1)
    assert keeper.kept.seen() == (DocSeen(DOC, 5, 1, sha256(b"text").hexdigest()),)


def test_a_disk_that_fails_is_told_and_the_former_version_stays():
    keeper = Keeper()
    keeper.take(keep(5, 1, b"one"), 1)
    keeper.disk()
    second = keep(5, 2, b"two")
    keeper.take(second, 2)
    keeper.disk(Failed("no space left"))

    assert keeper.take(second, 2.1) == Failed("no space left")
    assert [seen.n for seen in keeper.kept.seen()] == [1]
    assert isinstance(keeper.take(second, 3), Wait)  # and it may be tried again


def test_a_disk_that_hangs_is_told_in_time():
    keeper = Keeper()
    message = keep(5, 1, b"one")
    keeper.take(message, 1)
    assert isinstance(keeper.take(message, 1 + STORE_S), Failed)


def test_an_earlier_leader_is_fenced_by_promise_and_by_what_is_kept():
    keeper = Keeper()
    keeper.take(keep(5, 1, b"one"), 1)
    keeper.disk()
    assert keeper.take(keep(4, 9, b"late"), 2) == Fenced("arbiter", 5)
    keeper.promised = 7
    assert keeper.take(keep(6, 9, b"late"), 2) == Fenced("arbiter", 7)


def test_what_a_new_promise_overtakes_on_its_way_to_the_disk_is_not_accepted():
    """The new leader may have looked between the two, and has not seen it."""
    keeper = Keeper()
    message = keep(5, 1, b"one")
    keeper.take(message, 1)
    keeper.promised = 6
    assert keeper.kept.seen() == ()
    keeper.disk()

    assert keeper.take(message, 1.1) == Fenced("arbiter", 6)
    assert keeper.kept.seen() == ()


def test_pages_come_in_order_and_a_lost_one_is_asked_for_again():
    keeper = Keeper()
    whole = b"abc"
    digest = sha256(whole).hexdigest()
    pages = [Keep(DOC, 5, 1, digest, n, 3, whole[n : n + 1]) for n in range(3)]
    assert keeper.take(pages[0], 1) == Kept(DOC, 0, 0, 1)
    assert keeper.take(pages[2], 1) == Kept(DOC, 0, 0, 1)  # the second was lost
    assert keeper.take(pages[1], 1) == Kept(DOC, 0, 0, 2)
    assert keeper.take(pages[1], 1) == Kept(DOC, 0, 0, 2)  # and came twice
    assert isinstance(keeper.take(pages[2], 1), Wait)
    keeper.disk()

    answer = keeper.kept.recall(Recall(DOC))
    assert answer == Recalled(DOC, 5, 1, digest, 0, 1, whole)


def test_a_recall_gives_pages_and_refuses_other_content():
    keeper = Keeper()
    data = b"x" * (PAGE_BYTES_MAX + 3)
    digest = sha256(data).hexdigest()
    for page in range(2):
        part = data[page * PAGE_BYTES_MAX : (page + 1) * PAGE_BYTES_MAX]
        keeper.take(Keep(DOC, 5, 1, digest, page, 2, part), 1)
    keeper.disk()

    second = keeper.kept.recall(Recall(DOC, 1, digest))
    assert isinstance(second, Recalled) and (second.pages, second.data) == (2, b"xxx")
    assert isinstance(keeper.kept.recall(Recall(DOC, 2)), NotMine)
    assert isinstance(keeper.kept.recall(Recall(DOC, 0, "other")), NotMine)
    assert isinstance(keeper.kept.recall(Recall("operations")), NotMine)


@pytest.mark.parametrize("name", ["", "../votes", "a b", "x" * 50])
def test_a_name_that_is_no_file_name_is_refused(name):
    assert isinstance(Keeper().take(Keep(name, 5, 1, "", 0, 1, b""), 1), Failed)


# -- a leader


def test_a_first_leader_finds_nothing_and_commits_what_it_is_given():
    world = World()
    leader = world.leader(5)
    assert not leader.ready
    world.run(leader, 0.2)
    assert leader.ready and leader.content(DOC) is None
    assert leader.put(DOC, b"one") == 1
    assert not leader.committed(DOC)
    world.run(leader, 0.2)

    assert leader.committed(DOC)
    assert world.held() == dict.fromkeys(NAMES, (5, 1))


def test_the_same_content_is_no_new_version():
    world = World()
    leader = world.leader(5)
    world.run(leader, 0.2)
    assert [leader.put(DOC, b"one"), leader.put(DOC, b"one"), leader.put(DOC, b"two")] == [1, 1, 2]


def test_the_next_leader_recalls_it_and_commits_it_under_its_own_epoch_without_sending_it_again():
    world = World()
    first = world.leader(5)
    world.run(first, 0.2)
    first.put(DOC, b"one")
    world.run(first, 0.2)
    second = world.leader(6)
    world.run(second, 0.1)
    assert second.ready and second.content(DOC) == b"one" and second.number(DOC) == 1
    world.run(second, 0.3)

    assert second.committed(DOC)
    assert world.held() == dict.fromkeys(NAMES, (6, 1))
    assert second.put(DOC, b"two") == 2


def test_a_minority_is_not_enough_to_start_from():
    world = World()
    world.silent = {"server1", "server2"}
    leader = world.leader(5)
    world.run(leader, MAJORITY_S - 1)
    assert not leader.ready
    world.run(leader, 2)

    assert leader.ready  # it says so rather than wait for ever
    assert "server1, server2" in leader.problems[0]


def test_a_keeper_that_has_not_promised_this_leader_does_not_count_for_the_recall():
    """It may still take something from the leader before."""
    world = World()
    leader = world.leader(5)
    world.keepers["server1"].promised = world.keepers["server2"].promised = 4
    world.run(leader, 1)
    assert not leader.ready
    world.keepers["server1"].promised = 5
    world.run(leader, 0.1)
    assert leader.ready


def test_of_two_voters_the_one_that_lives_is_enough_and_the_other_gets_it_when_it_is_back():
    world = World(("server1", "server2"))
    world.silent = {"server2"}
    leader = world.leader(5)
    world.run(leader, 0.9)
    assert leader.ready
    leader.put(DOC, b"one")
    world.run(leader, 3)
    assert leader.committed(DOC)
    world.silent = set()
    world.run(leader, 2)

    assert world.held() == {"server1": (5, 1), "server2": (5, 1)}


def test_of_two_voters_both_must_have_it_while_both_are_up():
    world = World(("server1", "server2"))
    leader = world.leader(5)
    world.run(leader, 0.2)
    leader.put(DOC, b"one")
    leader.heard(world.keepers["server2"].census("server2"), at(world.mono))
    for call in leader.tick(at(world.mono)):
        if call.to == "keeper@server1":
            leader.answered(call, world.answer(call), at(world.mono))

    assert not leader.committed(DOC)


def test_a_keeper_that_lost_its_copy_is_sent_it_again():
    world = World()
    leader = world.leader(5)
    world.run(leader, 0.2)
    leader.put(DOC, b"one")
    world.run(leader, 0.2)
    world.keepers["server2"].kept = KeptDocuments()
    world.run(leader, 0.2)

    assert world.held()["server2"] == (5, 1)


def test_a_version_that_only_a_dead_server_had_gives_way_to_the_newest_that_can_be_read():
    world = World()
    first = world.leader(5)
    world.run(first, 0.2)
    first.put(DOC, b"one")
    world.run(first, 0.2)
    second = world.leader(6)
    broken = world.keepers["server3"]
    broken.take(keep(6, 2, b"two"), world.mono)
    broken.disk()
    second.lead(6, at(world.mono))
    second.heard(broken.census("server3"), at(world.mono))
    world.silent = {"server3"}  # seen, but its pages never come
    world.run(second, 1)

    assert second.content(DOC) == b"one"


def test_an_older_leader_is_told_that_it_is_fenced():
    world = World()
    first = world.leader(5)
    world.run(first, 0.2)
    world.leader(6)
    first.put(DOC, b"one")

    assert world.run(first, 0.2) == 6


# -- all of it with a hostile network


class NoPromise(KeptDocuments):
    """Obeys any leader: the protection taken away."""

    def keep(self, keep, promised, now):
        return super().keep(keep, 0, now)

    def stored_now(self, order, answer, promised):
        super().stored_now(order, answer, 0)

    def _fenced(self, keep, promised):
        return None


class NoSecondLook(KeptDocuments):
    """Accepts what the disk took, whoever was promised meanwhile."""

    def stored_now(self, order, answer, promised):
        super().stored_now(order, answer, 0)


class Gullible(Documents):
    """Counts keepers that have not promised its epoch."""

    def heard(self, census, now):
        super().heard(census, now)
        self._promised.add(census.server)


def hostile(seed: int, kept=KeptDocuments, leads=Documents) -> bool:
    """Run two leaders in turn with messages late and lost; return whether a committed version was lost."""
    rng = random.Random(seed)
    keepers = {name: Keeper(kept()) for name in NAMES}
    leaders: list[Documents] = []
    pending: list[tuple[float, str, object]] = []
    found: dict[int, int] = {}  # epoch -> n it started from
    committed: dict[int, int] = {}  # epoch -> highest n committed
    for step in range(400):
        mono = step * 0.05
        if step in (0, 120, 200):
            epoch = 5 + len(leaders)
            leaders.append(leads(NAMES, frozenset(NAMES)))
            leaders[-1].lead(epoch, at(mono))
            for name in rng.sample(NAMES, 2):
                keepers[name].promised = epoch
        for leader in leaders:
            if rng.random() < 0.3:
                name = rng.choice(NAMES)
                pending.append((mono + rng.uniform(0, 0.3), "census", (leader, keepers[name].census(name))))
            pending += [(mono + rng.uniform(0, 1), "call", (leader, call)) for call in leader.tick(at(mono))]
            if leader.ready:
                found.setdefault(leader.epoch, leader.number(DOC))
                if leader.committed(DOC):
                    n = leader.number(DOC)
                    committed[leader.epoch] = max(n, committed.get(leader.epoch, 0))
                    if rng.random() < 0.2:
                        leader.put(DOC, f"{leader.epoch} {n + 1}".encode())
                elif leader.content(DOC) is None:
                    leader.put(DOC, f"{leader.epoch} first".encode())
        for keeper in keepers.values():
            if rng.random() < 0.15:
                keeper.disk()
        due, pending = [p for p in pending if p[0] <= mono], [p for p in pending if p[0] > mono]
        for _, what, data in due:
            leader, thing = data
            if what == "census":
                leader.heard(thing, at(mono))
                continue
            if what == "answer":
                call, answer = thing
                more, _ = leader.answered(call, answer, at(mono))
                pending += [(mono + rng.uniform(0, 0.5), "call", (leader, one)) for one in more]
                continue
            keeper = keepers[thing.to.partition("@")[2]]
            answer = Failed("lost") if rng.random() < 0.1 else None
            if answer is None and isinstance(thing.message, Recall):
                answer = keeper.kept.recall(thing.message)
            elif answer is None:
                answer = keeper.take(thing.message, mono)
                if isinstance(answer, Wait):
                    pending.append((mono + 0.05, "call", data))
                    continue
            pending.append((mono + rng.uniform(0, 0.5), "answer", (leader, (thing, answer))))
    return any(
        committed.get(older, 0) > start for epoch, start in found.items() for older in range(5, epoch)
    )


def test_a_committed_version_is_never_lost_by_a_change_of_leaders():
    assert [seed for seed in range(60) if hostile(seed)] == []


@pytest.mark.parametrize(
    ("kept", "leads"),
    [(NoPromise, Documents), (NoSecondLook, Documents), (KeptDocuments, Gullible)],
    ids=["promise", "second look", "recall of promised only"],
)
def test_a_protection_taken_away_is_noticed(kept, leads):
    assert any(hostile(seed, kept, leads) for seed in range(300))
