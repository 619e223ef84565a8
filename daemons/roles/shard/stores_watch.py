"""The figures of a scheduler's retention stores, asked now and then, for its report."""

from daemons.model.clock import Now
from daemons.roles.role import Call
from daemons.wire.messages import Message
from daemons.wire.stores import StoresAsk, StoreSeen, StoresSeen

ASK_S = 2.0
ASK_TIMEOUT_S = 1.0


class StoresWatch:
    """Asks for the figures; one question is under way at most."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.stores: tuple[StoreSeen, ...] = ()
        self._asking = False
        self._due_mono = 0.0

    def tick(self, now: Now) -> list[Call]:
        """Return the question when it is due. It has a lane of its own: no store is waited for."""
        if self._asking or now.mono < self._due_mono:
            return []
        self._asking = True
        self._due_mono = now.mono + ASK_S
        return [Call("retention", StoresAsk(), ASK_TIMEOUT_S, lane="stores")]

    def answered(self, answer: Message) -> None:
        """Take the figures; without an answer those of before stand."""
        self._asking = False
        if isinstance(answer, StoresSeen):
            self.stores = answer.stores
