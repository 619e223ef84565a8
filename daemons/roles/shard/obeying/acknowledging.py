"""Acknowledgements and comments."""

from daemons.model.status import OK, Ack
from daemons.roles.shard.obeying.given import NOT_HERE, Given, Obey

STICKY = "2"  # anything else is not


def acknowledge(given: Given) -> str:
    """ACKNOWLEDGE_*_PROBLEM, until a time with _EXPIRE."""
    item, args = given.item, list(given.args)
    if item is None:
        return given.nobody
    if item.status.state == OK:
        return f"{item.key} has no problem to acknowledge"
    expire_wall = float(args.pop(3)) if given.name.endswith("_EXPIRE") else 0.0
    if 0 < expire_wall <= given.now.wall:
        return "the time of the acknowledgement is over already"
    ack = Ack(
        author=args[3], comment=args[4], sticky=args[0] == STICKY, notify=args[1] == "1",
        persistent=args[2] == "1", entry_wall=given.now.wall, expire_wall=expire_wall,
    )  # fmt: skip
    given.parts.bookings.acknowledge(item, ack, given.sent.id, given.now)
    return ""


def remove(given: Given) -> str:
    """REMOVE_*_ACKNOWLEDGEMENT."""
    item = given.item
    if item is None:
        return given.nobody
    given.parts.bookings.remove_ack(item, given.now)
    return ""


def comment(given: Given) -> str:
    """ADD_*_COMMENT."""
    item = given.item
    if item is None:
        return given.nobody
    persistent, author, text = given.args
    given.parts.bookings.comment(item, author, text, persistent == "1", given.now)
    return ""


def uncomment(given: Given) -> str:
    """DEL_*_COMMENT: by its number, of a host or of a service."""
    number = int(given.args[0])
    item = given.parts.numbers.of_comment(number, given.now)
    if item is None or item.is_host != (given.name == "DEL_HOST_COMMENT"):
        return NOT_HERE
    given.parts.bookings.uncomment(item, number)
    return ""


def uncomment_all(given: Given) -> str:
    """DEL_ALL_*_COMMENTS."""
    item = given.item
    if item is None:
        return given.nobody
    given.parts.bookings.uncomment_all(item)
    return ""


TABLE: dict[str, Obey] = {
    "ACKNOWLEDGE_HOST_PROBLEM": acknowledge,
    "ACKNOWLEDGE_HOST_PROBLEM_EXPIRE": acknowledge,
    "ACKNOWLEDGE_SVC_PROBLEM": acknowledge,
    "ACKNOWLEDGE_SVC_PROBLEM_EXPIRE": acknowledge,
    "REMOVE_HOST_ACKNOWLEDGEMENT": remove,
    "REMOVE_SVC_ACKNOWLEDGEMENT": remove,
    "ADD_HOST_COMMENT": comment,
    "ADD_SVC_COMMENT": comment,
    "DEL_HOST_COMMENT": uncomment,
    "DEL_SVC_COMMENT": uncomment,
    "DEL_ALL_HOST_COMMENTS": uncomment_all,
    "DEL_ALL_SVC_COMMENTS": uncomment_all,
}
