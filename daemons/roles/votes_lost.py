"""A keeper that lost its votes: whom it waits for, and the operator's word that it shall vote all the same.

The one thing to know: whoever gives that word says that no server that cannot be asked still works. Nobody
here can know that; so nothing of it happens by itself.
"""

import logging
from collections.abc import Sequence

from daemons.ha.board import Board
from daemons.model.clock import Mono
from daemons.wire.board import ResetVotes, VotesReset

log = logging.getLogger(__name__)


def tell(server: str, waits_for: Sequence[str]) -> None:
    """Say at the start what an operator can do."""
    log.error(
        "the votes of this server are lost: it votes when a majority of the other voters has told theirs, of %s; if these are "
        "gone for good: shinken voter reset --server %s", ", ".join(waits_for) or "nobody", server,
    )  # fmt: skip


def reset(board: Board, order: ResetVotes, waits_for: tuple[str, ...], unwritable: str, now: Mono) -> VotesReset:
    """Obey `order` if the votes are lost and can be written; return what was done."""
    if board.promises.state != "lost":
        return VotesReset(False, False, (), "it has its votes")
    if order.only_ask:
        return VotesReset(False, True, waits_for)
    if unwritable:
        return VotesReset(False, True, waits_for, f"cannot write its votes: {unwritable}")
    board.reset(now)
    log.warning("votes reset by=%s without those of %s", order.by, ", ".join(waits_for) or "nobody")
    return VotesReset(True, True, waits_for)
