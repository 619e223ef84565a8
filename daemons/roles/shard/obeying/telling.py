"""What somebody wants told, and when the next notification comes."""

from daemons.roles.shard.obeying.given import Given, Obey
from daemons.rules.notify import CUSTOM, Reason

BROADCAST, FORCED, INCREMENT = 1, 2, 4  # bits of SEND_CUSTOM_*_NOTIFICATION


def custom(given: Given) -> str:
    """SEND_CUSTOM_*_NOTIFICATION."""
    item = given.item
    if item is None:
        return given.nobody
    options, author, comment = int(given.args[0]), given.args[1], given.args[2]
    given.parts.teller.say(
        item, CUSTOM, given.now, by=given.sent.id, author=author, comment=comment,
        forced=bool(options & FORCED), broadcast=bool(options & BROADCAST),
        increment=bool(options & INCREMENT),
    )  # fmt: skip
    return ""


def delay(given: Given) -> str:
    """DELAY_*_NOTIFICATION."""
    item = given.item
    if item is None:
        return given.nobody
    item.status.next_notification_wall = float(given.args[0])
    given.parts.teller.reminders.note(item, Reason.INTERVAL, given.now)
    given.state.changed(item)
    return ""


def set_number(given: Given) -> str:
    """SET_*_NOTIFICATION_NUMBER.

    The next notification of the problem may get a number that was there before: its cause has to be a new one,
    or it would be taken for the old one, sent again.
    """
    item = given.item
    if item is None:
        return given.nobody
    item.status.notification_number = int(given.args[0])
    item.status.hard_changes += 1
    given.state.changed(item)
    return ""


def launch_handlers(given: Given) -> str:
    """LAUNCH_*_EVENT_HANDLER: also while they are switched off, since somebody asks for it."""
    item = given.item
    if item is None:
        return given.nobody
    found = given.parts.teller.launch_handlers(item, given.now, by=given.sent.id)
    return "" if found else f"{item.key} has no event handler, and there is none for all"


TABLE: dict[str, Obey] = {
    "LAUNCH_HOST_EVENT_HANDLER": launch_handlers,
    "LAUNCH_SVC_EVENT_HANDLER": launch_handlers,
    "SEND_CUSTOM_HOST_NOTIFICATION": custom,
    "SEND_CUSTOM_SVC_NOTIFICATION": custom,
    "DELAY_HOST_NOTIFICATION": delay,
    "DELAY_SVC_NOTIFICATION": delay,
    "SET_HOST_NOTIFICATION_NUMBER": set_number,
    "SET_SVC_NOTIFICATION_NUMBER": set_number,
}
