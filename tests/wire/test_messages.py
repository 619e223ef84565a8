"""The shape of all messages, and who may send which of them over the network."""

from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from daemons.model.clock import Mono, Now, Wall
from daemons.net.door import Asked, Refusal
from daemons.net.runner import Runner
from daemons.wire import board, claims, documents, messages, operations, side, stores
from daemons.wire.codec import decode, encode
from daemons.wire.messages import FROM_OPERATORS, FROM_PEERS, Done, Message
from tests.wire.strategies import MESSAGES, of

# What a role asks of its own runner, and what its runner tells it. From the network each of them
# would be an order to run a program, to lose a state, or a lie about what has happened here.
LOCAL = {
    "RunChunk", "RanChunk", "LostRuns", "Load", "Restored", "Save", "Saved", "Feed", "Fed", "Journal",
    "Spool", "StartDaemon", "StopDaemon", "DaemonStarted", "DaemonEnded", "Usage", "Register",
    "AskWitnesses", "Witnesses",
    "StoreDocument", "Compile", "CompiledShards", "FilesAgree",
    "StoresAsk", "StoresSeen", "Probe",
}  # fmt: skip
ANSWERS = {
    "Done", "Fenced", "NotMine", "Failed", "Leases", "Census", "Votes", "Revoked", "VotesCopy", "Enrolled",
    "Page", "Lent", "Actions", "Claimed", "Copied", "Moved", "Broks", "Accepted", "ActionsClaimed", "ClaimsKept",
    "Paused", "VotesReset", "Convened",
    "Kept", "Recalled",
    "Operation", "Operations",
    "Kept", "Recalled", "Proposal",
}  # fmt: skip


def names(kinds) -> set[str]:
    return {kind.__name__ for kind in kinds}


def structs() -> list[type]:
    """Every Struct of the wire, messages and their parts."""
    found = {
        thing
        for module in (messages, board, claims, documents, operations, side, stores)
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, msgspec.Struct)
        and thing is not msgspec.Struct
    }
    return sorted(found, key=lambda kind: kind.__name__)


each_struct = pytest.mark.parametrize("kind", structs(), ids=lambda kind: kind.__name__)


def test_nothing_local_is_taken_from_the_network():
    assert not LOCAL & names(FROM_PEERS)
    assert not LOCAL & names(FROM_OPERATORS)


def test_no_answer_is_taken_for_a_request():
    assert not ANSWERS & names(FROM_PEERS | FROM_OPERATORS)


def test_every_message_is_local_an_answer_or_asked_over_the_network():
    """A new message stays out until somebody decides who may send it."""
    assert names(MESSAGES) == LOCAL | ANSWERS | names(FROM_PEERS | FROM_OPERATORS)
    assert names(FROM_PEERS | FROM_OPERATORS) <= names(MESSAGES)


def test_operators_may_look_submit_operate_stop_and_nothing_else():
    assert names(FROM_OPERATORS) == {
        "CensusAsk", "Submit", "Shutdown", "Resume", "ResetVotes", "Recall", "Operate", "OperationAsk",
        "Propose", "ProposalAsk",
    }  # fmt: skip


def test_a_daemon_cannot_stop_another():
    assert "Shutdown" not in names(FROM_PEERS)


@each_struct
def test_messages_are_arrays_frozen_and_have_a_docstring(kind):
    config = kind.__struct_config__
    assert config.array_like
    assert config.frozen
    assert kind.__doc__


def test_messages_have_a_tag_each_and_no_two_the_same():
    tags = [kind.__struct_config__.tag for kind in MESSAGES]
    assert tags == [kind.__name__ for kind in MESSAGES]
    assert len(set(tags)) == len(tags)


@each_struct
def test_what_is_in_a_message_cannot_change(kind):
    """Tuples, not lists; dictionaries are not written to."""
    for name, hint in get_type_hints(kind).items():
        assert "list[" not in str(hint) and "set[" not in str(hint), name


@each_struct
def test_durations_and_clocks_say_their_unit(kind):
    """A number of seconds ends in _s, a Unix time in wall, a monotonic one in _mono."""
    for name, hint in get_type_hints(kind).items():
        if hint is float and name != "cpu_percent":
            assert name.endswith(("_s", "wall", "_mono")), name


def test_times_on_a_server_s_own_clock_go_to_its_own_keeper_only():
    """Clocks of two servers are never compared."""
    carries = {kind.__name__ for kind in MESSAGES if _mentions_mono(kind)}
    assert carries == {"Beat", "Leases"}


def _mentions_mono(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType, tuple, dict):
        return any(_mentions_mono(arg) for arg in get_args(kind))
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return False
    return any(n.endswith("_mono") or _mentions_mono(h) for n, h in get_type_hints(kind).items())


# ---------------------------------------------------------------- at the door of a real runner


class Obedient:
    """A role that obeys anything."""

    name, instance, tick_s, durable_serial = "obedient", "1", 0.1, 0

    def __init__(self) -> None:
        self.obeyed: list[str] = []

    def handle(self, message: Message, now: Now) -> Message:
        self.obeyed.append(type(message).__name__)
        return Done()

    def tick(self, now: Now) -> list:
        return []

    def answered(self, call: object, answer: Message, now: Now) -> list:
        return []

    def durable(self) -> bytes:
        return b""


def obeyed(member: bool, operator: bool) -> set[str]:
    """Which messages get past the runner's door from such a caller."""
    role = Obedient()
    runner = Runner(role, lambda _: None, {}, read_clock=lambda: Now(Mono(1.0), Wall(1.0)))
    for kind in MESSAGES:
        asked = Asked(
            body=encode(_one(kind)), sender="somebody", instance="1", member=member,
            operator=operator, version=1, address="127.0.0.1",
        )  # fmt: skip
        try:
            assert decode(runner.ask(asked)) == Done()
        except Refusal as refusal:
            assert kind.__name__ in str(refusal)
    return set(role.obeyed)


def _one(kind: type) -> Message:
    """The plainest message of a kind."""
    values = []
    for field in msgspec.structs.fields(kind):
        if field.required:
            values.append(_plainest(field.type))
    return kind(*values)


def _plainest(kind: Any) -> object:
    plain: dict[object, object] = {int: 0, float: 0.0, str: "", bytes: b"", bool: False}
    if kind in plain:
        return plain[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (tuple, dict):
        return origin()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _one(kind)
    return args[0]


@pytest.mark.parametrize(
    ("member", "operator", "may"),
    [
        (False, False, set()),
        (True, False, names(FROM_PEERS)),
        (False, True, names(FROM_OPERATORS)),
        (True, True, names(FROM_PEERS | FROM_OPERATORS)),
    ],
)
def test_a_runner_takes_only_what_its_caller_may_send(member, operator, may):
    assert obeyed(member, operator) == may


def test_there_is_a_strategy_for_every_message():
    assert all(of(kind) is not None for kind in MESSAGES)
