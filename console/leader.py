"""Asks the leading arbiter to do something, or what is going on; finds out who leads by asking.

The one thing to know: an order keeps its id, so that asking again, or asking the next leader, never does
it twice.
"""

import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from console.feed import Asker
from daemons.net.client import Refused, Unreachable
from daemons.wire.codec import BadMessage, decode, encode
from daemons.wire.messages import Message
from daemons.wire.operations import Operate, Operation, OperationAsk, Operations

ANSWER_S = 2.0
AGAIN_S = 0.2
UNKNOWN_S = 15.0  # a new leader has read what the one before wrote by then
LEADER_S = 12.0  # a new leader is there by then, if there will be one

Connect = Callable[[str], Asker | None]


class NobodyLeads(Exception):
    """No arbiter answered as the leader; the text says what each said."""


class Leader:
    """The arbiters of a cluster, asked one after the other until the leader answers."""

    def __init__(self, arbiters: Sequence[str], connect: Connect) -> None:
        """`arbiters`: names, the likely leader first."""
        self._arbiters = list(arbiters)
        self._connect = connect

    def operate(self, order: Operate, patience_s: float = LEADER_S) -> Operation:
        """Return what the leader makes of `order`. Raises NobodyLeads."""
        answer = self._ask(order, patience_s)
        if isinstance(answer, Operation):
            return answer
        raise NobodyLeads(f"the leader answered {type(answer).__name__}")

    def operations(self, id: str = "", patience_s: float = 0.0) -> Operations:
        """Return what is going on, with operation `id` only, "" = with all. Raises NobodyLeads."""
        answer = self._ask(OperationAsk(id), patience_s)
        if isinstance(answer, Operations):
            return answer
        raise NobodyLeads(f"the leader answered {type(answer).__name__}")

    def outcome(
        self, operation: Operation, patience_s: float, tell: Callable[[Operation], None]
    ) -> Operation:
        """Return `operation` once it has ended, or as it is after `patience_s`. Raises NobodyLeads.

        A leader that dies before two servers have the order takes it along: the state is then "lost".
        """
        end = time.monotonic() + patience_s
        heard = time.monotonic()
        while operation.state == "running" and time.monotonic() < end:
            time.sleep(AGAIN_S)
            found = self.operations(operation.id, patience_s=LEADER_S).operations
            if found:
                operation, heard = found[-1], time.monotonic()
                tell(operation)
            elif time.monotonic() - heard > UNKNOWN_S:
                why = "lost: the leader changed at once, and the next one does not know it; see `shinken status`"
                return replace(operation, state="lost", text=why)
        return operation

    def _ask(self, message: Message, patience_s: float) -> Message:
        end = time.monotonic() + patience_s
        while True:
            said = []
            for name in list(self._arbiters):
                answer = self._one(name, message)
                if isinstance(answer, Operation | Operations):
                    self._arbiters.remove(name)
                    self._arbiters.insert(0, name)
                    return answer
                said.append(answer if isinstance(answer, str) else f"{name}: {getattr(answer, 'why', answer)}")
            if time.monotonic() >= end:
                raise NobodyLeads("nobody leads: " + ("; ".join(said) or "no arbiter is defined"))
            time.sleep(AGAIN_S)

    def _one(self, name: str, message: Message) -> Message | str:
        asker = self._connect(name)
        if asker is None:
            return f"{name}: not defined"
        try:
            return decode(asker.ask(encode(message), ANSWER_S))
        except (Unreachable, Refused, BadMessage) as error:
            return f"{name}: {error}"
        finally:
            asker.close()
