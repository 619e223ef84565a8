"""Which configuration an arbiter works from, by hand: keepers, compiler and files are played here."""

from hashlib import sha256

import msgspec

from daemons.model.cluster import Cluster
from daemons.model.objects import ShardDef
from daemons.roles.leader.configuring import FIRST_LOOK_S, RETRY_S, Configuring
from daemons.roles.leader.documents import Documents
from daemons.roles.role import Call
from daemons.wire.configuration import (
    CONFIG_VERSION,
    CONFIGURATION,
    Compile,
    CompiledShards,
    ConfigDocument,
    FilesAgree,
    Proposal,
    Propose,
)
from daemons.wire.documents import Recall
from daemons.wire.messages import Done, Failed, NotMine, Roster
from tests.roles.test_documents import World, at

ENCODE = msgspec.msgpack.Encoder().encode
DECODE = msgspec.msgpack.Decoder(ConfigDocument).decode
CLUSTER = ENCODE(Cluster(name="c", daemons=(), servers=()))


def document(text, by="root@server1"):
    """A document whose files are `text`."""
    return ENCODE(ConfigDocument(CONFIG_VERSION, f"hash of {text}", by, 5.0, "UTC", text.encode()))


def digest(data):
    return sha256(data).hexdigest()


def compiled(data, base=""):
    text = DECODE(data).packed.decode()
    if "bad" in text:
        return CompiledShards(data, f"hash of {text}", errors=("a.cfg:3: error: bad",), base=base)
    shards = ENCODE((ShardDef(1, "All", f"v-{text}", 1, 1),))
    return CompiledShards(
        data, f"hash of {text}", f"config-{text}", shards, {f"v-{text}": text.encode()}, CLUSTER,
        base=base, time_zone="UTC",
    )  # fmt: skip


class Stage:
    """One arbiter's configuring, three keepers, and the files of its server."""

    def __init__(self, files="one", base="", world=None, name="server1"):
        self.world = world or World()
        self.name = name
        self.files = document(files, f"the files of {name}") if files else b""
        self.base = base
        self.documents = Documents(tuple(self.world.keepers), frozenset(self.world.keepers))
        self.role = Configuring(self.documents, lambda data: DECODE(data) if data else None, None)
        self.leading = 0
        self.roster = None
        self.compiles: list[str] = []
        self.broken = False  # the machine, not the configuration

    def lead(self, epoch):
        self.leading = epoch
        self.world.lead(self.documents, epoch)
        self.role.lead()
        return self

    def run(self, seconds=1.0):
        world = self.world
        for _ in range(round(seconds / 0.1)):
            world.mono += 0.1
            calls = self.role.tick(bool(self.leading), self.roster, at(world.mono))
            while calls:
                call = calls.pop(0)
                calls += self.role.answered(call, self.answer(call), at(world.mono))
            if self.leading:
                assert world.run(self.documents, 0.1) == 0
        return self

    def answer(self, call: Call):
        match call.message:
            case Compile(data):
                self.compiles.append(DECODE(data).packed.decode() if data else "own")
                if self.broken:
                    return Failed("killed")
                if not data and not self.files:
                    return CompiledShards(b"", errors=("cannot read shinken.cfg",), base=self.base)
                return compiled(data or self.files, self.base)
            case FilesAgree(files_hash):
                self.base = files_hash
                return Done()
            case Recall():
                if self.name in self.world.silent:
                    return Failed("silent")
                return self.world.keepers[self.name].kept.recall(call.message)
        raise AssertionError(call)

    def follow(self):
        """Hear what the leader works from."""
        newest = self.world.keepers["server2"].kept.seen()[0]
        self.roster = Roster(5, 1, "other", config="x", config_n=newest.n, document=newest.digest)
        return self

    def propose(self, text, base="hash of one", force=False):
        data = document(text)
        return self.role.propose(Propose(digest(data), 0, 1, data, base, force))

    def state(self, text):
        return self.role.state_of(digest(document(text)))


def committed_by_another(text="one", n=1):
    """Keepers that hold version `n`."""
    world = World()
    leader = world.leader(4)
    world.run(leader, 0.2)
    for _ in range(n):
        leader.put(CONFIGURATION, document(text))
    world.run(leader, 0.3)
    return world


# -- starting


def test_the_first_leader_commits_what_its_files_say():
    stage = Stage().run(1)
    assert stage.role.may_lead and not stage.role.ready
    stage.lead(5).run(1)

    assert stage.role.ready and stage.role.active.config == "config-one"
    assert stage.world.held() == dict.fromkeys(stage.world.keepers, (5, 1))
    assert stage.base == "hash of one"


def test_files_with_errors_and_nothing_committed_do_not_lead_and_say_why():
    stage = Stage("bad").run(FIRST_LOOK_S + 1)

    assert not stage.role.may_lead
    assert "a.cfg:3: error: bad" in stage.role.problems[0]


def test_an_arbiter_whose_files_are_gone_leads_with_what_is_committed():
    stage = Stage("", world=committed_by_another()).run(1)
    assert stage.role.may_lead
    stage.lead(5).run(1)

    assert stage.role.ready and stage.role.active.config == "config-one" and stage.role.n == 1
    assert "cannot read shinken.cfg" in stage.role.problems[0]


def test_a_bad_edit_leaves_the_last_good_configuration_in_force_and_is_named():
    stage = Stage("bad edit", base="hash of one", world=committed_by_another()).run(1).lead(5).run(1)

    assert stage.role.ready and stage.role.active.config == "config-one"
    assert stage.role.problems == (
        "works from configuration 1: the files of this server are not good: a.cfg:3: error: bad",
    )


def test_files_edited_while_the_arbiter_was_down_are_proposed_when_it_leads():
    stage = Stage("two", base="hash of one", world=committed_by_another()).run(1).lead(5).run(2)

    assert stage.role.active.config == "config-two" and stage.role.n == 2
    assert stage.base == "hash of two"


def test_old_files_of_a_server_that_was_away_are_not_proposed():
    """Another server was reloaded meanwhile: these files are older, not edited."""
    stage = Stage("zero", base="hash of zero", world=committed_by_another()).run(1).lead(5).run(2)

    assert stage.role.active.config == "config-one" and stage.role.n == 1
    assert "are not those of configuration 1" in stage.role.problems[0]


def test_an_arbiter_whose_keeper_has_no_copy_still_takes_what_the_others_committed():
    world = committed_by_another()
    world.keepers["server1"].kept.stored.clear()
    stage = Stage("zero", world=world).run(1)
    assert stage.role.active.config == "config-zero"
    stage.lead(5).run(1)

    assert stage.role.active.config == "config-one"
    assert world.held()["server1"] == (5, 1)


def test_nothing_is_ready_before_the_voters_have_it():
    stage = Stage().run(1)
    stage.world.silent = {"server2", "server3"}
    stage.lead(5).run(2)
    assert not stage.role.ready
    stage.world.silent = set()
    stage.world.lead(stage.documents, 5)
    stage.run(2)
    assert stage.role.ready


# -- following


def test_a_spare_has_compiled_the_next_version_before_it_is_needed():
    world = committed_by_another()
    spare = Stage("", world=world, name="server3").run(1)
    leader = World()
    leader.keepers, leader.mono = world.keepers, world.mono
    second = leader.leader(5)
    leader.run(second, 0.3)
    second.put(CONFIGURATION, document("two"))
    leader.run(second, 0.3)
    spare.follow().run(2)

    assert spare.role.active.config == "config-two" and spare.role.n == 2


def test_a_committed_version_that_cannot_be_compiled_here_keeps_this_arbiter_from_leading():
    stage = Stage("zero", world=committed_by_another("bad")).run(2)

    assert not stage.role.may_lead
    assert any("cannot be compiled here" in problem for problem in stage.role.problems)


def test_a_compiler_that_was_killed_is_started_again():
    stage = Stage("", world=committed_by_another())
    stage.broken = True
    stage.run(2)
    assert not stage.role.may_lead
    stage.broken = False
    stage.run(RETRY_S)
    assert stage.role.may_lead


def test_the_same_files_are_compiled_once():
    stage = Stage("one", world=committed_by_another()).run(1).lead(5).run(1)
    assert stage.compiles == ["own"]


# -- proposals


def test_a_proposal_is_compiled_committed_and_only_then_in_force():
    stage = Stage().run(1).lead(5).run(1)
    assert stage.propose("two").state == "compiling"
    stage.world.silent = {"server2", "server3"}
    stage.run(0.5)
    assert stage.state("two").state == "committing"
    assert stage.role.active.config == "config-one" and stage.role.ready
    stage.world.silent = set()
    stage.run(2)

    assert stage.role.active.config == "config-two" and stage.role.n == 2
    assert stage.state("two").state == "rolling out"


def test_a_proposal_with_errors_changes_nothing_and_they_are_told():
    stage = Stage().run(1).lead(5).run(1)
    stage.propose("bad")
    stage.run(1)
    said = stage.state("bad")

    assert (said.state, said.errors) == ("refused", ("a.cfg:3: error: bad",))
    assert stage.role.n == 1 and stage.world.held()["server1"] == (5, 1)
    assert stage.role.may_lead


def test_a_proposal_made_from_an_older_version_is_refused_unless_forced():
    stage = Stage().run(1).lead(5).run(1)
    stage.propose("two")
    stage.run(1)
    said = stage.propose("three", base="hash of one")
    assert said.state == "refused" and "configuration 2 was committed" in said.why
    stage.propose("three", base="hash of one", force=True)
    stage.run(1)

    assert stage.role.active.config == "config-three"


def test_the_files_in_force_are_no_new_version():
    stage = Stage().run(1).lead(5).run(1)
    assert stage.propose("one") == Proposal(
        digest(document("one")), "done", "nothing changed", n=1, config="config-one"
    )


def test_a_proposal_comes_in_pages_and_a_lost_one_is_asked_for():
    stage = Stage().run(1).lead(5).run(1)
    data = document("two")
    first = Propose(digest(data), 0, 2, data[:10], "hash of one")
    second = Propose(digest(data), 1, 2, data[10:], "hash of one")
    assert stage.role.propose(first).next_page == 1
    assert stage.role.propose(first).next_page == 1
    assert stage.role.propose(second).state == "compiling"


def test_a_proposal_that_is_not_what_its_digest_says_is_refused():
    stage = Stage().run(1).lead(5).run(1)
    data = document("two")
    assert stage.role.propose(Propose("other", 0, 1, data, "hash of one")).state == "refused"


def test_a_leader_that_lost_the_lead_while_it_compiled_commits_nothing():
    stage = Stage().run(1).lead(5).run(1)
    stage.propose("two")
    stage.documents.lead(6, at(stage.world.mono))
    stage.role.lead()
    for call in stage.role.tick(True, None, at(stage.world.mono)):
        stage.role.answered(call, stage.answer(call), at(stage.world.mono))

    assert stage.state("two").state == "refused"


def test_before_the_committed_version_is_known_nothing_is_taken():
    stage = Stage().run(1)
    stage.leading = 5
    assert isinstance(stage.propose("two"), NotMine)


def test_files_read_again_by_command_are_proposed_like_a_reload():
    stage = Stage("one").lead(5).run()
    stage.files = document("two")
    assert stage.role.reread("c1") == Done()
    stage.run()
    assert (stage.role.active.config, stage.role.n) == ("config-two", 2)
    assert stage.role.reread("c2") == Done()  # nothing is new: no further version
    stage.run()
    assert stage.role.n == 2


def test_files_read_again_that_are_bad_or_of_another_version_change_nothing_and_are_named():
    stage = Stage("one").lead(5).run()
    stage.files = document("bad")
    stage.role.reread("c1")
    stage.run()
    assert stage.role.n == 1 and any("are not good" in p for p in stage.role.problems)
    stage.files, stage.base = document("three"), "hash of another"
    stage.role.reread("c2")
    stage.run()
    assert stage.role.n == 1 and any("are not those of configuration 1" in p for p in stage.role.problems)
