"""Two definitions of the same name: which one stays.

The one thing to know: the lower definition_order wins (Shinken); between equal ones the last one read
does, with a warning.
"""

from daemons.config.complain import Complaints
from daemons.config.lexer import Block
from daemons.config.values import number

ORDER = 100.0  # definition_order of who gives none


def replaces(old: Block, new: Block, label: str, complaints: Complaints) -> bool:
    """Return whether `new` takes the place of `old`, which has the same name; warn when nothing says so."""
    rank_old, rank_new = order(old), order(new)
    if rank_old == rank_new:
        complaints.warning(
            f"{label} is defined twice, this one is used instead of {old.where}",
            new.where,
            "remove one, or give one a lower definition_order",
        )
    return rank_new <= rank_old


def order(block: Block) -> float:
    """Return the definition_order of `block`."""
    found = number(block.attrs.get("definition_order", ""))
    return ORDER if found is None else found
