"""Which configuration an arbiter works from: the one that the keepers hold, not the files beside it.

The one thing to know: `active` is what is planned from. It changes only to a version that is compiled
here *and* committed at the voters. This server's own files are a proposal: the first one when nothing
was ever committed, later one if they were edited while this arbiter was down, else what `reload` sends.
"""

import logging
from collections.abc import Callable
from hashlib import sha256

from msgspec.structs import replace

from daemons.model.clock import Mono, Now
from daemons.roles.leader.compiled import Compiled, compiled_of
from daemons.roles.leader.document_fetch import DocumentFetch
from daemons.roles.leader.documents import Documents
from daemons.roles.role import Call
from daemons.wire.configuration import (
    CONFIG_VERSION,
    CONFIGURATION,
    Compile,
    CompiledShards,
    ConfigDocument,
    FilesAgree,
    Proposal,
    Propose,
)
from daemons.wire.documents import Recall
from daemons.wire.messages import Done, Failed, Message, NotMine, Roster

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks at the own keeper's copy while there is reason to look
FIRST_LOOK_S = 3.0  # an own keeper that does not answer is not waited for longer before the files count
RETRY_S = 10.0  # after a compilation that the machine, not the configuration, made fail
COMPILE_S = 310.0
OWN = ""  # the compilation of this server's own files; the others go by digest
PROPOSALS_MAX = 8  # remembered, for those who ask what became of them
PROPOSAL_BYTES_MAX = 128_000_000


class _Incoming:
    """A proposal whose pages come in."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.parts: list[bytes] = []


class Configuring:
    """The configuration of one arbiter."""

    def __init__(self, documents: Documents, head_of: Callable[[bytes], ConfigDocument | None], compiled: Compiled | None) -> None:
        """`head_of` reads a document's head, None when it is none; `compiled`: work from this, for ever."""
        self.documents = documents
        self.fixed = compiled is not None
        self.active = compiled or Compiled()
        self.n = 0  # number of the active version, 0 = of no committed one
        self.ready = self.fixed  # while leading: the committed version is the active one
        self.problems: tuple[str, ...] = ()
        self.own: CompiledShards | None = None  # this server's files
        self.head: ConfigDocument | None = None  # of the active version
        self._head_of = head_of
        self._compiling: dict[str, bytes] = {}  # by digest, OWN = own files
        self._retry: dict[str, float] = {}
        self._made: dict[str, Compiled] = {}  # by digest; the active one and the next
        self._copy: tuple[str, int, bytes] | None = None  # digest, n, content: as the own keeper has it
        self._fetch: DocumentFetch | None = None
        self._looked = False  # the own keeper has been asked, or does not answer
        self._look_at: float = 0.0
        self._since: Mono | None = None
        self._stuck = False  # what is committed cannot be compiled here: another must lead
        self._own_old = False  # a version was adopted that the own files, as read at the start, are not
        self._taken: tuple[Propose, bytes] | None = None  # the proposal that is compiled
        self._offered = False  # the own files were considered under this epoch
        self._reread = False  # somebody wants the own files read again
        self._agreed = ""  # files hash that the base was told
        self._incoming: dict[str, _Incoming] = {}
        self._proposals: dict[str, Proposal] = {}

    # -- the arbiter's side

    @property
    def may_lead(self) -> bool:
        """Whether there is something to lead with, and what the cluster has committed can be read here."""
        return self.active.good and bool(self.active.config) and not self._stuck

    def lead(self) -> None:
        """A new epoch: nothing is planned before the committed version is known and active."""
        self.ready = self.fixed
        self._offered = False

    def tick(self, leading: bool, roster: Roster | None, now: Now) -> list[Call]:
        """Return what is due: compilations, looks at the keeper's copy; while leading, move on."""
        if self.fixed:
            return []
        if self._since is None:
            self._since = now.mono
            return [*self._compile(OWN, b"", now), *self._look("", now)]
        calls = self._lead(now) if leading else self._follow(roster, now)
        self._stuck = self._cannot_make(leading)
        if self._own_old and OWN not in self._compiling:
            self._own_old = False
            calls += self._compile(OWN, b"", now)
        if self._reread and self.ready and self._taken is None and OWN not in self._compiling:
            self._reread = self._offered = False
            self.own = None
            self._retry.pop(OWN, None)
            calls += self._compile(OWN, b"", now)
        if self._taken is not None and leading:
            calls += self._compile(self._taken[0].digest, self._taken[1], now)
        return calls

    def _cannot_make(self, leading: bool) -> bool:
        digest = self.documents.digest(CONFIGURATION) if leading else (self._copy or ("",))[0]
        made = self._made.get(digest)
        return made is not None and not made.good

    def answered(self, call: Call, answer: Message, now: Now) -> list[Call]:
        """Take the outcome of one of its calls."""
        match call.message:
            case Recall():
                return self._looked_at(call.message, answer, now)
            case Compile(document):
                self._compiled(document, answer, now)
            case _:
                pass
        return []

    # -- following

    def _follow(self, roster: Roster | None, now: Now) -> list[Call]:
        """Have compiled what the cluster has committed, before it is needed."""
        if not self._looked and now.mono - (self._since or now.mono) > FIRST_LOOK_S:
            self._looked = True
        calls: list[Call] = []
        wanted = roster.document if roster is not None else ""
        if (wanted and (self._copy is None or self._copy[0] != wanted)) or not self._looked:
            calls += self._look(wanted, now)
        if self._copy is not None:
            digest, n, content = self._copy
            if digest == self.active.digest:
                self.n = n
                return [*calls, *self._agree()]
            calls += self._make(digest, content, now)
            if digest in self._made and self._made[digest].good:
                self._activate(self._made[digest], n)
        elif self._looked and self.own is not None and not self.own.errors and not self.active.config:
            self._activate(compiled_of(self.own, _digest(self.own.document)), 0)
        self._say()
        return calls

    def _look(self, digest: str, now: Now) -> list[Call]:
        """Ask the own keeper for its copy."""
        if now.mono < self._look_at or (self._fetch is not None and self._fetch.data is None and not self._fetch.failed):
            return []
        self._look_at = now.mono + LOOK_S
        self._fetch = DocumentFetch(CONFIGURATION, digest, "keeper")
        return [self._fetch.next()]

    def _looked_at(self, asked: Recall, answer: Message, now: Now) -> list[Call]:
        fetch = self._fetch
        if fetch is None:
            return []
        if isinstance(answer, NotMine):
            self._looked = True
        calls = fetch.answered(asked, answer)
        if fetch.data is not None:
            self._looked = True
            self._copy = (fetch.digest, fetch.n, fetch.data)
            self._fetch = None
        return calls

    # -- leading

    def _lead(self, now: Now) -> list[Call]:
        if not self.documents.ready:
            return []
        content = self.documents.content(CONFIGURATION)
        if content is None:
            return self._first(now)
        digest = self.documents.digest(CONFIGURATION)
        if digest != self.active.digest:
            calls = self._make(digest, content, now)
            made = self._made.get(digest)
            if made is not None and made.good and self.documents.committed(CONFIGURATION):
                self._activate(made, self.documents.number(CONFIGURATION))
                self._rolled(digest)
            return calls
        self.n = self.documents.number(CONFIGURATION)
        if not self.ready and self.documents.committed(CONFIGURATION):
            self.ready = True
        self._say()
        calls = self._agree()
        if self.ready and not self._offered and self.own is not None:
            self._offered = True
            self._offer_own()
        return calls

    def _first(self, now: Now) -> list[Call]:
        """Nothing was ever committed: what this server's files say is the first version."""
        own = self.own
        if own is None:
            return self._compile(OWN, b"", now)
        if not own.errors:
            self._put(own)
        self._say()
        return []

    def _put(self, compiled: CompiledShards) -> None:
        digest = _digest(compiled.document)
        self._made[digest] = compiled_of(compiled, digest)
        n = self.documents.put(CONFIGURATION, compiled.document)
        log.info("commits configuration n=%d config=%s digest=%s", n, compiled.config, digest[:12])

    def _offer_own(self) -> None:
        """Files that were the committed ones when this arbiter last looked, and are not now, were edited."""
        own = self.own
        assert own is not None
        if own.errors or own.files_hash == self.active.files_hash:
            return
        if own.base == self.active.files_hash and own.document:
            log.warning("the files of this server were edited: they are proposed")
            self._put(own)

    def _agree(self) -> list[Call]:
        """Remember when this server's files are the committed ones: what is edited then is made from those."""
        own, files_hash = self.own, self.active.files_hash
        if own is None or own.files_hash != files_hash or files_hash in (self._agreed, own.base):
            return []
        if not self.n:
            return []
        self._agreed = files_hash
        return [Call("configuration", FilesAgree(files_hash), 5.0, lane="base")]

    # -- compiling

    def _make(self, digest: str, document: bytes, now: Now) -> list[Call]:
        """Have `document` compiled, unless it is."""
        made = self._made.get(digest)
        if made is not None and (made.good or now.mono < self._retry.get(digest, 0.0)):
            return []
        own = self.own
        head = self._head_of(document)
        if own is not None and not own.errors and head is not None and head.files_hash == own.files_hash:
            self._made[digest] = compiled_of(replace(own, document=document), digest)
            return []
        if OWN in self._compiling and own is None:
            return []  # likely the same files: wait for that
        return self._compile(digest, document, now)

    def _compile(self, digest: str, document: bytes, now: Now) -> list[Call]:
        if digest in self._compiling or now.mono < self._retry.get(digest, 0.0):
            return []
        self._compiling[digest] = document
        lane = "own" if digest == OWN else "compile"
        return [Call("configuration", Compile(document), COMPILE_S, lane=lane)]

    def _compiled(self, document: bytes, answer: Message, now: Now) -> None:
        digest = _digest(document) if document else OWN
        self._compiling.pop(digest, None)
        taken = None
        if self._taken is not None and self._taken[0].digest == digest:
            taken, self._taken = self._taken, None
        if not isinstance(answer, CompiledShards):
            why = answer.why if isinstance(answer, Failed) else type(answer).__name__
            log.error("could not compile digest=%s why=%r", digest[:12] or "own files", why)
            self._retry[digest] = now.mono + RETRY_S
            if digest == OWN and self.own is None:
                self.own = CompiledShards(b"", errors=(why,))
            self._refused(digest, (why,))
            return
        log.info(
            "compiled digest=%s config=%s errors=%d took_s=%.2f",
            digest[:12] or "own files", answer.config, len(answer.errors), answer.took_s,
        )  # fmt: skip
        if digest == OWN:
            self.own = answer
            self._say()
            return
        if taken is None or not answer.errors:
            self._made[digest] = compiled_of(answer, digest)
        if answer.errors:
            self._retry[digest] = now.mono + RETRY_S
            self._refused(digest, answer.errors)
        elif taken is not None:
            self._commit(taken[0], answer)

    def _commit(self, asked: Propose, answer: CompiledShards) -> None:
        """Commit what was proposed, if this leader still may and the base still stands."""
        if not self.ready or not self.documents.ready:
            self._note(asked.digest, state="refused", why="the leader changed: try again")
        elif why := self._stale(asked):
            self._note(asked.digest, state="refused", why=why)
        else:
            self._put(answer)
            n = self.documents.number(CONFIGURATION)
            self._note(asked.digest, state="committing", n=n, config=answer.config)

    def _activate(self, made: Compiled, n: int) -> None:
        log.info("works from configuration n=%d config=%s digest=%s", n, made.config, made.digest[:12])
        self.active, self.n = made, n
        self.head = self._head_of(made.document)
        self._own_old = self.own is not None and self.own.files_hash != made.files_hash
        keep = {made.digest} | {d for d in self._compiling if d}
        self._made = {d: c for d, c in self._made.items() if d in keep}

    def _say(self) -> None:
        """Name what an operator should know of files and versions."""
        found = []
        own, head = self.own, self.head
        where = f"configuration {self.n}" if self.n else "its own files"
        if own is not None and own.errors:
            found.append(f"works from {where}: the files of this server are not good: {own.errors[0]}")
        elif own is not None and self.n and own.files_hash != self.active.files_hash and not self._own_old:
            made = f" of {head.by}" if head is not None else ""
            found.append(f"the files of this server are not those of {where}{made}: see `shinken reload --dry-run`")
        if own is not None and head is not None and own.time_zone not in ("", head.time_zone):
            found.append(f"the time zone here is {own.time_zone}, {where} was made in {head.time_zone}")
        for digest, compiled in self._made.items():
            if compiled.problems and digest == (self._copy or ("",))[0]:
                found.append(f"the committed configuration cannot be compiled here: {compiled.problems[0]}")
        self.problems = tuple(found)

    # -- proposals

    def reread(self, by: str) -> Message:
        """Read this server's files again, to propose them if they are good and made from what is committed."""
        if self.fixed:
            return Failed("it works from one configuration for ever")
        log.info("reads the files of this server again: command id=%s", by)
        self._reread = True
        return Done()

    def propose(self, asked: Propose) -> Message:
        """Take a page of a proposal. When `ready`."""
        known = self._proposals.get(asked.digest)
        if known is not None and known.state not in ("receiving", "refused", "unknown"):
            return self.state_of(asked.digest)
        if not self.ready or self.fixed:
            return NotMine("the committed configuration is not known yet: try again")
        if why := self._stale(asked):
            return self._note(asked.digest, state="refused", why=why)
        incoming = self._incoming.get(asked.digest)
        if incoming is None or asked.page == 0:
            self._incoming = {asked.digest: _Incoming(asked.pages)}  # one at a time
            incoming = self._incoming[asked.digest]
        if asked.page == len(incoming.parts):
            incoming.parts.append(asked.data)
        if sum(map(len, incoming.parts)) > PROPOSAL_BYTES_MAX:
            return self._note(asked.digest, state="refused", why="too large")
        if len(incoming.parts) < incoming.pages:
            return self._note(asked.digest, state="receiving", next_page=len(incoming.parts))
        document = b"".join(incoming.parts)
        del self._incoming[asked.digest]
        return self._take(asked, document)

    def _stale(self, asked: Propose) -> str:
        """Why the proposal was not made from the committed version, "" when it was or that does not matter."""
        if asked.force or asked.base == self.active.files_hash:
            return ""
        head = self.head
        by = f" by {head.by}" if head is not None else ""
        return (
            f"configuration {self.n} was committed{by}, and these files were not made from it: "
            "take its changes over, or say --force"
        )

    def _take(self, asked: Propose, document: bytes) -> Message:
        digest = asked.digest
        head = self._head_of(document)
        if _digest(document) != digest or head is None or head.version > CONFIG_VERSION:
            return self._note(digest, state="refused", why="this is no configuration that the leader can read")
        if head.files_hash == self.active.files_hash:
            return self._note(digest, state="done", why="nothing changed", n=self.n, config=self.active.config)
        if self._taken is not None or not self.documents.committed(CONFIGURATION):
            return self._note(digest, state="refused", why="another proposal is under way: try again")
        self._retry.pop(digest, None)
        self._made.pop(digest, None)
        self._taken = (asked, document)
        return self._note(digest, state="compiling")

    def _refused(self, digest: str, errors: tuple[str, ...]) -> None:
        if digest in self._proposals:
            self._note(digest, state="refused", why="it is not good", errors=errors)

    def _rolled(self, digest: str) -> None:
        if digest in self._proposals:
            self._note(digest, state="rolling out", n=self.n, config=self.active.config)

    def _note(self, digest: str, **more: object) -> Proposal:
        known = self._proposals.get(digest) or Proposal(digest, "unknown")
        self._proposals[digest] = noted = replace(known, **more)
        while len(self._proposals) > PROPOSALS_MAX:
            del self._proposals[next(iter(self._proposals))]
        return noted

    def state_of(self, digest: str) -> Proposal:
        """Return how far a proposal has come; "rolling out" stands for everything after the commit."""
        known = self._proposals.get(digest)
        at = next((d.at for d in self.documents.states() if d.doc == CONFIGURATION), ())
        if known is None and digest == self.active.digest:
            known = Proposal(digest, "rolling out", n=self.n, config=self.active.config)
        return replace(known, at=at) if known is not None else Proposal(digest, "unknown")


def _digest(document: bytes) -> str:
    return sha256(document).hexdigest()
