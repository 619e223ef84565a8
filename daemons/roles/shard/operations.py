"""External commands that do something to objects: acknowledge, book downtimes, comment, check now, tell.

The one thing to know: `table` maps a command's name to what obeys it; each answers "" or why it did not.
"""

from collections.abc import Callable

from daemons.model.clock import Now
from daemons.model.status import OK, Ack, Downtime
from daemons.roles.shard.bookings import Bookings
from daemons.roles.shard.checks import Checks
from daemons.roles.shard.state import Item, ShardState
from daemons.roles.shard.switches import group_keys
from daemons.roles.shard.tell import Teller
from daemons.rules.commands import COMMANDS, ExternalCommand
from daemons.rules.notify import CUSTOM, Reason
from daemons.wire.messages import Submitted

Obey = Callable[[ExternalCommand, Submitted, Now], str]
STICKY = "2"  # ACKNOWLEDGE_*: sticky = 2, anything else is not
BROADCAST, FORCED, INCREMENT = 1, 2, 4  # bits of SEND_CUSTOM_*_NOTIFICATION


class Operations:
    """Obeys commands of one shard."""

    def __init__(
        self, state: ShardState, checks: Checks, bookings: Bookings, teller: Teller
    ) -> None:
        """Works on the parts of one owned shard."""
        self._state = state
        self._checks = checks
        self._bookings = bookings
        self._teller = teller
        self.table: dict[str, Obey] = {
            "ACKNOWLEDGE_HOST_PROBLEM": self._acknowledge,
            "ACKNOWLEDGE_SVC_PROBLEM": self._acknowledge,
            "ACKNOWLEDGE_HOST_PROBLEM_EXPIRE": self._acknowledge,
            "ACKNOWLEDGE_SVC_PROBLEM_EXPIRE": self._acknowledge,
            "REMOVE_HOST_ACKNOWLEDGEMENT": self._remove_ack,
            "REMOVE_SVC_ACKNOWLEDGEMENT": self._remove_ack,
            "SCHEDULE_HOST_DOWNTIME": self._downtime,
            "SCHEDULE_SVC_DOWNTIME": self._downtime,
            "SCHEDULE_HOST_SVC_DOWNTIME": self._downtime,
            "SCHEDULE_HOSTGROUP_HOST_DOWNTIME": self._downtime,
            "SCHEDULE_HOSTGROUP_SVC_DOWNTIME": self._downtime,
            "SCHEDULE_SERVICEGROUP_HOST_DOWNTIME": self._downtime,
            "SCHEDULE_SERVICEGROUP_SVC_DOWNTIME": self._downtime,
            "SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME": self._downtime,
            "DEL_HOST_DOWNTIME": self._cancel,
            "DEL_SVC_DOWNTIME": self._cancel,
            "DEL_ALL_HOST_DOWNTIMES": self._cancel_all,
            "DEL_ALL_SVC_DOWNTIMES": self._cancel_all,
            "DEL_DOWNTIME_BY_HOST_NAME": self._cancel_matching,
            "ADD_HOST_COMMENT": self._comment,
            "ADD_SVC_COMMENT": self._comment,
            "DEL_HOST_COMMENT": self._uncomment,
            "DEL_SVC_COMMENT": self._uncomment,
            "DEL_ALL_HOST_COMMENTS": self._uncomment_all,
            "DEL_ALL_SVC_COMMENTS": self._uncomment_all,
            "SCHEDULE_HOST_CHECK": self._check,
            "SCHEDULE_SVC_CHECK": self._check,
            "SCHEDULE_FORCED_HOST_CHECK": self._check,
            "SCHEDULE_FORCED_SVC_CHECK": self._check,
            "SCHEDULE_HOST_SVC_CHECKS": self._check,
            "SCHEDULE_FORCED_HOST_SVC_CHECKS": self._check,
            "SEND_CUSTOM_HOST_NOTIFICATION": self._custom,
            "SEND_CUSTOM_SVC_NOTIFICATION": self._custom,
            "DELAY_HOST_NOTIFICATION": self._delay,
            "DELAY_SVC_NOTIFICATION": self._delay,
            "SAVE_STATE_INFORMATION": self._nothing,
            "READ_STATE_INFORMATION": self._nothing,
        }

    # -- acknowledgements

    def _acknowledge(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, args = self._target(command)
        if item is None:
            return _nobody(command)
        if item.status.state == OK:
            return f"{item.key} has no problem to acknowledge"
        expire_wall = float(args.pop(3)) if command.name.endswith("_EXPIRE") else 0.0
        ack = Ack(
            author=args[3], comment=args[4], sticky=args[0].strip() == STICKY,
            notify=args[1] == "1", persistent=args[2] == "1", entry_wall=now.wall,
            expire_wall=expire_wall,
        )  # fmt: skip
        self._bookings.acknowledge(item, ack, sent.id, now)
        return ""

    def _remove_ack(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, _ = self._target(command)
        if item is None:
            return _nobody(command)
        self._bookings.remove_ack(item)
        return ""

    # -- downtimes

    def _downtime(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        scope = COMMANDS[command.name].scope
        args = list(command.args[2 if scope == "service" else 1 :])
        start, end, fixed, trigger, duration, author, comment = args
        downtime = Downtime(
            id=0, entry_wall=now.wall, start_wall=float(start), end_wall=float(end),
            fixed=fixed == "1", trigger_id=int(float(trigger)), duration_s=float(duration),
            author=author, comment=comment, command_id=sent.id,
        )  # fmt: skip
        if downtime.end_wall <= now.wall or downtime.end_wall <= downtime.start_wall:
            return "the downtime ends before it begins, or is over already"
        items = self._downtime_targets(command, scope)
        if not items and scope in ("host", "service"):
            return _nobody(command)
        for item in items:
            self._bookings.book(item, downtime, now)
        return ""

    def _downtime_targets(self, command: ExternalCommand, scope: str) -> list[Item]:
        state, name = self._state, command.args[0]
        if scope in ("hostgroup", "servicegroup"):
            hosts = "_HOST_DOWNTIME" in command.name
            keys = group_keys(state, scope, name, hosts=hosts)
        elif command.name == "SCHEDULE_HOST_SVC_DOWNTIME":
            keys = list(state.service_keys.get(name, ()))
        elif command.name == "SCHEDULE_AND_PROPAGATE_HOST_DOWNTIME":
            keys = _below(state, name)
        else:
            keys = [";".join(command.args[: 2 if scope == "service" else 1])]
        return [state.items[key] for key in keys if key in state.items]

    def _cancel(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        self._bookings.cancel(int(float(command.args[0])), now)
        return ""

    def _cancel_all(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, _ = self._target(command)
        if item is None:
            return _nobody(command)
        self._bookings.cancel_all(item, now)
        return ""

    def _cancel_matching(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        """Nagios 4: DEL_DOWNTIME_BY_HOST_NAME;host[;service[;start[;comment]]]."""
        host, service, start, comment = (*command.args, "", "", "")[:4]
        keys = [f"{host};{service}"] if service else [host, *self._state.service_keys.get(host, ())]
        for key in keys:
            item = self._state.items.get(key)
            for downtime in item.status.downtimes if item is not None else ():
                if start and downtime.start_wall != float(start):
                    continue
                if not comment or downtime.comment == comment:
                    self._bookings.cancel(downtime.id, now)
        return ""

    # -- comments

    def _comment(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, args = self._target(command)
        if item is None:
            return _nobody(command)
        self._bookings.comment(item, args[1], args[2], args[0] == "1", now)
        return ""

    def _uncomment(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        self._bookings.uncomment(int(float(command.args[0])))
        return ""

    def _uncomment_all(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, _ = self._target(command)
        if item is None:
            return _nobody(command)
        self._bookings.uncomment_all(item)
        return ""

    # -- checks and notifications

    def _check(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, args = self._target(command)
        if item is None:
            return _nobody(command)
        items = [item]
        if command.name.endswith("HOST_SVC_CHECKS"):
            items = list(self._state.services_of(item.key))
        for target in items:
            self._checks.check_at(target, float(args[0]), now, forced="FORCED" in command.name)
            self._state.changed(target)
        return ""

    def _custom(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, args = self._target(command)
        if item is None:
            return _nobody(command)
        options = int(float(args[0]))
        self._teller.say(
            item, CUSTOM, now, by=sent.id, author=args[1], comment=args[2],
            forced=bool(options & FORCED), broadcast=bool(options & BROADCAST),
            increment=bool(options & INCREMENT),
        )  # fmt: skip
        return ""

    def _delay(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        item, args = self._target(command)
        if item is None:
            return _nobody(command)
        item.status.next_notification_wall = float(args[0])
        self._teller.reminders.note(item, Reason.INTERVAL, now)
        self._state.changed(item)
        return ""

    def _nothing(self, command: ExternalCommand, sent: Submitted, now: Now) -> str:
        return ""  # state is saved all the time

    # -- inside

    def _target(self, command: ExternalCommand) -> tuple[Item | None, list[str]]:
        """Return the object of a command, None when there is none, and the arguments after it."""
        words = 2 if COMMANDS[command.name].scope == "service" else 1
        key = ";".join(command.args[:words])
        return self._state.items.get(key), list(command.args[words:])


def _nobody(command: ExternalCommand) -> str:
    words = 2 if COMMANDS[command.name].scope == "service" else 1
    return f"there is no {COMMANDS[command.name].scope} {';'.join(command.args[:words])}"


def _below(state: ShardState, host: str) -> list[str]:
    """Return `host` and all hosts behind it."""
    found = {host: None}
    queue = [host]
    while queue:
        for child in state.children.get(queue.pop(), ()):
            if child not in found:
                found[child] = None
                queue.append(child)
    return list(found)
