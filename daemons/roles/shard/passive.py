"""Results that somebody outside sent: PROCESS_*_CHECK_RESULT, and PROCESS_*_OUTPUT that keep the state."""

from daemons.model.clock import Now
from daemons.roles.shard.apply import Consumer, Heard
from daemons.roles.shard.state import Item, ShardState
from daemons.rules import lines
from daemons.rules.commands import ExternalCommand

PASSIVE = {
    "PROCESS_SERVICE_CHECK_RESULT": 3,
    "PROCESS_HOST_CHECK_RESULT": 2,
    "PROCESS_SERVICE_OUTPUT": 2,
    "PROCESS_HOST_OUTPUT": 1,
}  # and how many arguments stand before the output


class Passive:
    """Takes the passive results of one shard."""

    def __init__(self, state: ShardState, consumer: Consumer) -> None:
        """`consumer` applies them."""
        self._state = state
        self._consumer = consumer

    def obey(self, command: ExternalCommand, now: Now) -> str:
        """Apply a passive result. Returns why not, "" when it was."""
        args, settings = command.args, self._state.globals
        before = PASSIVE[command.name]
        keeps = command.name.endswith("_OUTPUT")
        key = ";".join(args[: before if keeps else before - 1])
        target = self._state.items.get(key)
        if target is None:
            host, _, description = key.partition(";")
            unknown = lines.passive_unknown(host, description, host_known=bool(description))
            self._state.journal.log(unknown, now)
            return f"there is no {'service' if ';' in key else 'host'} {key}"
        code = target.status.state if keeps else int(args[before - 1])
        output = args[before]
        if not self._accepts(target):
            return f"{key} takes no passive results"
        if settings.log_passive_checks:
            self._state.journal.log(lines.passive_check(key, code, output), now)
        # A sender whose clock is ahead must not make the result fresh for ever.
        wall = min(command.wall or now.wall, now.wall)
        self._consumer.consume(
            target, Heard(code, output.replace("\\n", "\n"), wall, passive=True), now
        )
        return ""

    def _accepts(self, target: Item) -> bool:
        settings = self._state.globals
        on = (
            settings.accept_passive_host_checks
            if target.is_host
            else settings.accept_passive_service_checks
        )
        return on and target.traits.passive_checks_enabled
