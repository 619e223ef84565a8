"""One external command that was given to a shard, and the parts of the shard that it is obeyed with.

The one thing to know: whatever obeys a command answers "" when it did, `NOT_HERE` when nothing of this shard is
meant, else why it did not, for the sender to read.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from daemons.model.clock import Now
from daemons.roles.shard.apply import Consumer
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.flaps import Flaps
from daemons.roles.shard.obeying.numbers import Numbers
from daemons.roles.shard.state import Item, ShardState
from daemons.roles.shard.tell import Teller
from daemons.rules.commands import COMMANDS, ExternalCommand
from daemons.rules.template import split_command
from daemons.wire.messages import Submitted

NOT_HERE = "nothing of this shard"


class Parts(Struct):
    """The parts of one owned shard."""

    state: ShardState
    checks: Checks
    consumer: Consumer
    bookings: Bookings
    teller: Teller
    flaps: Flaps
    numbers: Numbers


class Given(Struct):
    """A command with its sender's id."""

    parts: Parts
    command: ExternalCommand
    sent: Submitted
    now: Now

    @property
    def state(self) -> ShardState:
        """Return the shard."""
        return self.parts.state

    @property
    def name(self) -> str:
        """Return the command's name."""
        return self.command.name

    @property
    def scope(self) -> str:
        """Return what the command is about."""
        return COMMANDS[self.command.name].scope

    @property
    def target(self) -> str:
        """Return the key of the host or service, or the name of the contact or group."""
        return ";".join(self.command.args[: self._words])

    @property
    def args(self) -> tuple[str, ...]:
        """Return the arguments after the target."""
        return self.command.args[self._words :]

    @property
    def item(self) -> Item | None:
        """Return the host or service, None when there is none here."""
        return self.state.items.get(self.target)

    @property
    def nobody(self) -> str:
        """Return what to say when there is none."""
        return f"there is no {self.scope} {self.target}"

    @property
    def _words(self) -> int:
        return {"service": 2, "global": 0}.get(self.scope, 1)


Obey = Callable[[Given], str]


def group_keys(state: ShardState, scope: str, name: str, *, hosts: bool) -> list[str] | None:
    """Return the keys of a group's hosts, or of its services (those on its hosts, or its members).

    None when there is no such group here.
    """
    group = (state.hostgroups if scope == "hostgroup" else state.servicegroups).get(name)
    if group is None:
        return None
    if scope == "hostgroup":
        if hosts:
            return list(group.members)
        return [key for host in group.members for key in state.service_keys.get(host, ())]
    if hosts:
        return list(dict.fromkeys(member.partition(";")[0] for member in group.members))
    return list(group.members)


def below(state: ShardState, host: str) -> list[str]:
    """Return `host` and all hosts behind it, parents first."""
    found = {host: None}
    queue = [host]
    while queue:
        for child in state.children.get(queue.pop(), ()):
            if child not in found:
                found[child] = None
                queue.append(child)
    return list(found)


def present(state: ShardState, keys: Iterable[str]) -> list[Item]:
    """Return the objects of `keys` that are here."""
    return [state.items[key] for key in keys if key in state.items]


def no_command(state: ShardState, written: str) -> str:
    """Return why `written` ("name!arg") is no command that can be run, "" when it is."""
    name = split_command(written)[0]
    return "" if name in state.commands else f"there is no command {name!r} in the configuration"
