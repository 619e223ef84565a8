"""Which function obeys which command: the tables of all families together."""

from daemons.roles.shard.obeying import (
    acknowledging,
    attributes,
    checking,
    contacts,
    dependencies,
    downtimes,
    switches,
    telling,
)
from daemons.roles.shard.obeying.given import Given, Obey


def nothing(given: Given) -> str:
    """SAVE_STATE_INFORMATION, READ_STATE_INFORMATION: the state is saved, and in force, all the time."""
    return ""


TABLE: dict[str, Obey] = {
    **acknowledging.TABLE,
    **attributes.TABLE,
    **checking.TABLE,
    **contacts.TABLE,
    **dependencies.TABLE,
    **downtimes.TABLE,
    **switches.TABLE,
    **telling.TABLE,
    "SAVE_STATE_INFORMATION": nothing,
    "READ_STATE_INFORMATION": nothing,
}
