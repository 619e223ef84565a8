"""The committed configuration as an operator's tools get it: from the keepers, and whom to propose to."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from daemons.cli.reach import Keys, operator_peer
from daemons.cli.start import Say, server_census
from daemons.config.bundle import BadBundle, files_of, head_of
from daemons.net.client import Refused, Unreachable
from daemons.net.home import Bundle
from daemons.wire.codec import BadMessage, decode, encode
from daemons.wire.configuration import (
    CONFIGURATION,
    ConfigDocument,
    Proposal,
    ProposalAsk,
    Propose,
)
from daemons.wire.documents import Recall, Recalled
from daemons.wire.messages import Census, Message

LEADER_S = 15.0  # for somebody to lead
R = TypeVar("R")


class Committed(Struct, frozen=True):
    """The version that the keepers hold."""

    n: int
    document: bytes
    head: ConfigDocument
    at: tuple[str, ...] = ()  # servers seen to have it


class NobodyAnswers(Exception):
    """There is nobody to ask; the text says who was tried."""


class Keepers:
    """The cluster as this command asks it."""

    def __init__(self, bundle: Bundle, keys: Keys) -> None:
        self.bundle = bundle
        self.keys = keys
        self.leader = ""

    def committed(self) -> Committed:
        """Return the version in force. Raises NobodyAnswers."""

        def newest() -> Committed | None:
            held = []
            for census in self._censuses():
                held += [
                    (seen.epoch, seen.n, census.server, seen.digest)
                    for seen in census.documents
                    if seen.doc == CONFIGURATION
                ]
            for _, n, server, digest in sorted(held, reverse=True):
                document = self._recall(server, digest)
                if document is not None:
                    at = tuple(sorted(s for _, m, s, d in held if (m, d) == (n, digest)))
                    return Committed(n, document, head_of(document), at)
            return None

        try:
            found = _within(newest, LEADER_S)
        except BadBundle as error:
            raise NobodyAnswers(str(error)) from error
        if found is None:
            raise NobodyAnswers("no keeper holds a configuration: is the cluster started?")
        return found

    def ask_leader(self, message: Propose | ProposalAsk) -> Proposal | None:
        """Return the leader's answer, None while nobody leads or knows enough. Raises NobodyAnswers."""
        if not self.leader:
            self.leader = _within(self._find_leader, LEADER_S) or ""
            if not self.leader:
                raise NobodyAnswers("no arbiter leads")
        answer = self._ask(self.leader, message, 10.0)
        if isinstance(answer, Proposal):
            return answer
        self.leader = ""
        return None

    def _find_leader(self) -> str:
        leading = [
            (seen.report.epoch, seen.name)
            for census in self._censuses()
            for seen in census.daemons
            if seen.role == "arbiter" and seen.running and seen.report.active and seen.beat_age_s < 2
        ]
        return max(leading)[1] if leading else ""

    def _censuses(self) -> list[Census]:
        found = [server_census(self.bundle, self.keys, s.name) for s in self.bundle.cluster.servers]
        return [census for census in found if census is not None]

    def _recall(self, server: str, digest: str) -> bytes | None:
        pages: list[bytes] = []
        while True:
            answer = self._ask(f"keeper@{server}", Recall(CONFIGURATION, len(pages), digest), 10.0)
            if not isinstance(answer, Recalled):
                return None
            pages.append(answer.data)
            if len(pages) >= answer.pages:
                return b"".join(pages)

    def _ask(self, to: str, message: Message, timeout_s: float) -> Message | None:
        peer = operator_peer(self.bundle, self.keys, to)
        if peer is None:
            return None
        try:
            return decode(peer.ask(encode(message), timeout_s))
        except (Unreachable, Refused, BadMessage):
            return None
        finally:
            peer.close()


def told(committed: Committed) -> dict[str, object]:
    """Return what people and scripts want to know of a version."""
    head = committed.head
    when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(head.wall))
    return {
        "number": committed.n,
        "by": head.by,
        "when": when,
        "time_zone": head.time_zone,
        "files": head.files_hash[:12],
        "servers": " ".join(committed.at),
    }


def write_files(committed: Committed, folder: Path, say: Say) -> None:
    """Write the files of a version below `folder`, at their whole paths. Raises OSError, BadBundle."""
    for file in files_of(committed.head).files:
        target = folder / os.path.abspath(file.path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text, encoding="utf-8")
        say(str(target))


def _within(look: Callable[[], R | None], deadline_s: float) -> R | None:
    """Return the first answer of `look` within the time, None when there was none."""
    deadline = time.monotonic() + deadline_s
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.3)
