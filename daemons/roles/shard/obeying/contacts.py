"""Contacts: their downtimes and custom variables, and which of their settings are kept as changed.

The one thing to know: every shard has a status of its own for each contact. All get the same commands, so
what they keep is the same, also the number of a downtime, which is made of the command's id.
"""


from daemons.model.objects import Contact
from daemons.model.status import Downtime
from daemons.roles.shard.obeying.given import NOT_HERE, Given, Obey
from daemons.rules.commands import given_number
from daemons.rules.modattr import CONTACT_HOST_BITS, CONTACT_SERVICE_BITS, masked


def book(given: Given) -> str:
    """SCHEDULE_CONTACT_DOWNTIME."""
    if given.target not in given.state.contacts:
        return NOT_HERE
    start, end, author, comment = given.args
    downtime = Downtime(
        id=given_number(given.sent.id), entry_wall=given.now.wall, start_wall=float(start),
        end_wall=float(end), author=author, comment=comment, command_id=given.sent.id,
    )  # fmt: skip
    if downtime.end_wall <= given.now.wall or downtime.end_wall <= downtime.start_wall:
        return "the downtime ends before it begins, or is over already"
    status = given.state.contact(given.target)
    if all(d.id != downtime.id for d in status.downtimes):
        status.downtimes += (downtime,)
        given.state.contact_changed(status)
        given.parts.bookings.contacts.take_up(status, given.now)
    return ""


def cancel(given: Given) -> str:
    """DEL_CONTACT_DOWNTIME."""
    number = int(given.args[0])
    for status in given.state.contact_status.values():
        for downtime in status.downtimes:
            if downtime.id == number:
                given.parts.bookings.contacts.cancel(status, downtime, given.now)
                return ""
    return NOT_HERE


def set_variable(given: Given) -> str:
    """CHANGE_CUSTOM_CONTACT_VAR."""
    if given.target not in given.state.contacts:
        return NOT_HERE
    name, value = given.args
    status = given.state.contact(given.target)
    status.modified = {**status.modified, f"_{name}": value}
    given.state.contact_changed(status)
    return ""


_BITS: dict[str, dict[str, int]] = {
    "CHANGE_CONTACT_MODATTR": {},
    "CHANGE_CONTACT_MODHATTR": CONTACT_HOST_BITS,
    "CHANGE_CONTACT_MODSATTR": CONTACT_SERVICE_BITS,
}


def set_mask(given: Given) -> str:
    """CHANGE_CONTACT_MOD*ATTR."""
    contact = given.state.contacts.get(given.target)
    if contact is None:
        return NOT_HERE
    status, bits = given.state.contact(given.target), _BITS[given.name]

    def value_of(name: str) -> str | None:
        return status.modified.get(name) or _configured(contact, name)

    status.modified = masked(status.modified, int(given.args[0]), value_of, bits, custom=not bits)
    given.state.contact_changed(status)
    return ""


def _configured(contact: Contact, name: str) -> str | None:
    """Return a setting of a contact with one way to be told; of several there is no one value to keep."""
    if len(contact.ways) != 1:
        return None
    value = getattr(contact.ways[0], name)
    return str(int(value)) if isinstance(value, bool) else value


TABLE: dict[str, Obey] = {
    "SCHEDULE_CONTACT_DOWNTIME": book,
    "DEL_CONTACT_DOWNTIME": cancel,
    "CHANGE_CUSTOM_CONTACT_VAR": set_variable,
    **dict.fromkeys(_BITS, set_mask),
}
