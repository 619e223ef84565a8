"""The macros of contacts and of notifications.

Nagios Core docs, "Standard Macros in Nagios", contact and notification macros. The one thing to know: what an
operator typed with a command (author, comment, variables set at run time) came from outside.
"""

from collections.abc import Callable, Mapping

from daemons.model.objects import Contact
from daemons.rules.macros import NO_CUSTOM, as_written, cleaned, custom_variable
from daemons.rules.template import Lookup

ADDRESSES = 6


def contact_macros(contact: Contact, modified: Mapping[str, str] | None = None) -> Lookup:
    """Return the lookup of a contact's macros; `modified` is what was set at run time, variables as `_NAME`."""

    def ask(name: str) -> str | None:
        getter = _CONTACT.get(name)
        if getter is not None:
            return getter(contact)
        if name.startswith("_CONTACT"):
            return custom_variable(name[8:], contact.custom, modified or NO_CUSTOM, NO_CUSTOM)
        if name.startswith("CONTACTADDRESS") and name[14:].isdecimal():
            number = int(name[14:])
            return contact.addresses[number - 1] if 1 <= number <= len(contact.addresses) else ""
        return None

    return ask


def notification_macros(
    kind: str,
    number: int,
    id: str,
    author: str = "",
    comment: str = "",
    recipients: tuple[str, ...] = (),
    escalated: bool = False,
    illegal: str = "",
    *,
    of: tuple[str, ...] = ("HOST", "SERVICE"),
    alias_of: Callable[[str], str] = as_written,
) -> Lookup:
    """Return the lookup of one notification's macros; `kind` is a constant of `rules.notify`.

    `of` says what it is about: ("HOST",) or ("SERVICE",); `alias_of` gives the alias of a contact by name.
    """
    ids = {"NOTIFICATIONID", *(f"{family}NOTIFICATIONID" for family in of)}
    numbers = {"NOTIFICATIONNUMBER", *(f"{family}NOTIFICATIONNUMBER" for family in of)}

    def ask(name: str) -> str | None:
        match name:
            case "NOTIFICATIONTYPE":
                return kind
            case "NOTIFICATIONRECIPIENTS":
                return ",".join(recipients)
            case "NOTIFICATIONISESCALATED":
                return str(int(escalated))
            case "NOTIFICATIONAUTHOR" | "NOTIFICATIONAUTHORNAME":
                return cleaned(author, illegal)
            case "NOTIFICATIONAUTHORALIAS":
                return cleaned(alias_of(author), illegal)
            case "NOTIFICATIONCOMMENT":
                return cleaned(comment, illegal)
        if name in ids:
            return id
        return str(number) if name in numbers else None

    return ask


_CONTACT: dict[str, Callable[[Contact], str]] = {
    "CONTACTNAME": lambda c: c.name,
    "CONTACTALIAS": lambda c: c.alias or c.name,
    "CONTACTEMAIL": lambda c: c.email,
    "CONTACTPAGER": lambda c: c.pager,
    "CONTACTGROUPNAME": lambda c: c.groups[0] if c.groups else "",
    "CONTACTGROUPNAMES": lambda c: ",".join(c.groups),
}

CONTACT_MACROS = (*_CONTACT, *(f"CONTACTADDRESS{i}" for i in range(1, ADDRESSES + 1)))
NOTIFICATION_MACROS = (
    "NOTIFICATIONTYPE", "NOTIFICATIONID", "NOTIFICATIONNUMBER", "NOTIFICATIONRECIPIENTS",
    "NOTIFICATIONISESCALATED", "NOTIFICATIONAUTHOR", "NOTIFICATIONAUTHORNAME", "NOTIFICATIONAUTHORALIAS",
    "NOTIFICATIONCOMMENT", "HOSTNOTIFICATIONID", "SERVICENOTIFICATIONID",
)  # fmt: skip
