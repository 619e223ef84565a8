"""The configuration of one shard, fetched page by page from the leading arbiter."""

import msgspec

from daemons.model.clock import Now
from daemons.model.objects import ShardBody
from daemons.roles.role import Call
from daemons.wire.messages import Fetch, Message, Page

RETRY_S = 0.5
FETCH_S = 5.0
_decode = msgspec.msgpack.Decoder(ShardBody).decode


class BodyFetch:
    """The newest body that is here, and the one under way."""

    def __init__(self, shard: int) -> None:
        """Nothing is here yet."""
        self.shard = shard
        self.version = ""  # of `body`
        self.body: ShardBody | None = None
        self.trouble = ""
        self._wanted = ""
        self._pages: list[bytes] = []
        self._asking = False
        self._due_mono = 0.0

    def tick(self, version: str, leader: str, now: Now) -> list[Call]:
        """Return the next request, if `version` is not here and nothing is under way."""
        if version != self._wanted:
            self._wanted, self._pages, self._due_mono = version, [], 0.0
        if not version or version == self.version or self._asking or now.mono < self._due_mono:
            return []
        if not leader:
            return []
        self._asking = True
        fetch = Fetch(self.shard, version, len(self._pages))
        return [Call(leader, fetch, FETCH_S, lane=f"body/{self.shard}")]

    def answered(self, asked: Fetch, answer: Message, now: Now) -> bool:
        """Take a page. Returns whether a new body is complete."""
        self._asking = False
        if asked.version != self._wanted or asked.page != len(self._pages):
            return False
        if not isinstance(answer, Page) or answer.version != asked.version:
            self._due_mono = now.mono + RETRY_S
            return False
        self._pages.append(answer.data)
        if len(self._pages) < answer.pages:
            return False
        return self._complete(now)

    def _complete(self, now: Now) -> bool:
        data, self._pages = b"".join(self._pages), []
        try:
            self.body = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.trouble = f"the configuration of shard {self.shard} cannot be read: {error}"
            self._due_mono = now.mono + 10 * RETRY_S
            return False
        self.version, self.trouble = self._wanted, ""
        return True
