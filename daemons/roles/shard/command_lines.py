"""Command lines of a shard's checks, notifications and event handlers, macros resolved.

The one thing to know: the line of a check is resolved once and kept on its `Item`, unless it uses
macros whose value changes from run to run.
"""

from msgspec import Struct

from daemons.model.clock import Now, Wall
from daemons.model.objects import Command, Contact
from daemons.roles.shard.lookups import Lookups
from daemons.roles.shard.modulations import changes_command
from daemons.roles.shard.state import Item, ShardState
from daemons.rules.contact_macros import notification_macros
from daemons.rules.environment import environment
from daemons.rules.shell_line import shell_line
from daemons.rules.template import (
    Lookup,
    Outside,
    Template,
    resolve,
    run_time,
    split_command,
    split_macros,
)

TAG = "possible duplicate"
INTERNAL = "\0"  # stands for a poller tag; none is called so
_OWN_COMMANDS = ("bp_rule", "_internal_host_up", "_echo")
_OUTPUTS = ("HOSTOUTPUT", "SERVICEOUTPUT")


class Run(Struct, frozen=True):
    """A command ready to be run."""

    line: str
    env: dict[str, str]
    timeout_s: float
    reactionner_tag: str = ""
    tagged_line: str = ""  # the same for a repeat that may have run before; "" = no different


class _Check(Struct, frozen=True):
    """What all checks of one `check_command` share."""

    template: Template
    args: tuple[str, ...]
    timeout_s: float  # -1 = the global one
    poller_tag: str
    run_time: bool
    in_environment: bool  # macros go into its environment whatever the main file says
    internal: bool  # no poller is needed: the scheduler knows what it means


class CommandLines:
    """Resolves the commands of one shard."""

    def __init__(self, state: ShardState, started: Wall) -> None:
        """Nothing is resolved yet; `started` is for $PROCESSSTARTTIME$."""
        self._state = state
        self._lookups = Lookups(state, started)
        self._checks: dict[str, _Check | None] = {}

    def forget(self) -> None:
        """Resolve everything anew: the configuration has changed."""
        self._checks.clear()

    def of_check(self, item: Item, now: Now) -> tuple[str, dict[str, str], float]:
        """Return (command line, environment, time-out in seconds) of a check.

        The line is "" when the command is not defined.
        """
        settings = self._state.globals
        timeout_s = (
            settings.host_check_timeout_s if item.is_host else settings.service_check_timeout_s
        )
        check = self._check(self._state.modulations.check_command(item.traits, now.wall))
        if check is None:
            return "", {}, timeout_s
        if check.timeout_s > 0:
            timeout_s = check.timeout_s
        line = item.line
        if not line:
            lookup = self._lookups.of(item, now)
            line = shell_line(check.template, lookup, check.args)
            of_host = item.host.traits if item.host is not None else None
            run_by_run = check.run_time or changes_command(item.traits, of_host)
            if not run_by_run and not run_time(check.template, check.args, lookup):
                item.line = line
        env: dict[str, str] = {}
        if check.in_environment or settings.enable_environment_macros:
            customs = self._lookups.customs(item, None, now)
            env = environment(self._lookups.of(item, now), customs, check.args)
        return line, env, timeout_s

    def poller_tag(self, item: Item, now: Now) -> str:
        """Return the tag that a poller must have to run this check, "" for none, INTERNAL for no poller."""
        check = self._check(self._state.modulations.check_command(item.traits, now.wall))
        if check is not None and check.internal:
            return INTERNAL
        tag = item.traits.poller_tag
        if tag:
            return tag
        return check.poller_tag if check is not None else ""

    def internal(self, item: Item, now: Now) -> str:
        """Return the check command of this moment if it is one that needs no poller, else ""."""
        written = self._state.modulations.check_command(item.traits, now.wall)
        check = self._check(written)
        return written if check is not None and check.internal else ""

    def lookup(self, item: Item, now: Now) -> Lookup:
        """Return the macros of an object."""
        return self._lookups.of(item, now)

    def of_handler(self, item: Item, command: str, now: Now) -> Run | None:
        """Return the event handler `command` ("name!arg") of `item`, None when it is not defined."""
        timeout_s = self._state.globals.event_handler_timeout_s
        return self._run(item, command, self._lookups.of(item, now), now, {}, timeout_s, tagged=None)

    def of_notification(
        self, item: Item, contact: Contact, command: str, kind: str, now: Now, *, action_id: str,
        author: str, comment: str, recipients: tuple[str, ...] = (), escalated: bool = False,
    ) -> Run | None:  # fmt: skip
        """Return the notification `command` for `contact`, None when it is not defined."""
        settings = self._state.globals
        note = notification_macros(
            kind, item.status.notification_number, action_id, author, comment, recipients, escalated,
            illegal=settings.illegal_macro_output_chars, alias_of=self._lookups.alias_of,
            of=("HOST",) if item.is_host else ("SERVICE",),
        )  # fmt: skip
        plain = self._lookups.of(item, now, note, self._lookups.of_contact(contact))
        env = {"SHINKEN_NOTIFICATION_ID": action_id}
        timeout_s = settings.notification_timeout_s
        return self._run(
            item, command, plain, now, env, timeout_s, tagged=_tagged(plain), contact=contact
        )

    def of_text(self, item: Item, template: Template, now: Now) -> str:
        """Return one line of text about `item`: what `template` says, line ends in values as two letters."""
        return resolve(template, _in_one_line(self._lookups.of(item, now)))

    # -- inside

    def _check(self, written: str) -> _Check | None:
        try:
            return self._checks[written]
        except KeyError:
            pass
        name, args = split_command(written)
        command = self._state.commands.get(name)
        check = None
        if command is not None:
            template = split_macros(command.line)
            internal = command.line == name and name in _OWN_COMMANDS
            check = _Check(
                template, args, command.timeout_s, command.poller_tag, run_time(template, args),
                command.enable_environment_macros, internal,
            )  # fmt: skip
        self._checks[written] = check
        return check

    def _run(
        self, item: Item, written: str, lookup: Lookup, now: Now, env: dict[str, str],
        timeout_s: float, *, tagged: Lookup | None, contact: Contact | None = None,
    ) -> Run | None:  # fmt: skip
        name, args = split_command(written)
        command: Command | None = self._state.commands.get(name)
        if command is None:
            return None
        settings = self._state.globals
        template = split_macros(command.line)
        line = shell_line(template, lookup, args)
        repeat = shell_line(template, tagged, args) if tagged is not None else line
        if command.enable_environment_macros or settings.enable_environment_macros:
            customs = self._lookups.customs(item, contact, now)
            env = {**environment(lookup, customs, args), **env}
        timeout_s = command.timeout_s if command.timeout_s > 0 else timeout_s
        tag = item.traits.reactionner_tag or command.reactionner_tag
        return Run(line, env, timeout_s, tag, repeat if repeat != line else "")


def _in_one_line(lookup: Lookup) -> Lookup:
    def ask(name: str) -> str | None:
        value = lookup(name)
        return Outside(value.replace("\n", "\\n")) if value is not None and "\n" in value else value

    return ask


def _tagged(lookup: Lookup) -> Lookup:
    """Return `lookup` with outputs and $NOTIFICATIONTAG$ that say so: it may have been told before."""

    def ask(name: str) -> str | None:
        if name == "NOTIFICATIONTAG":
            return TAG
        value = lookup(name)
        return Outside(f"{value} ({TAG})") if name in _OUTPUTS and value is not None else value

    return ask
