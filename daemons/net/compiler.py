"""Compiles configurations in a child process, and remembers which of this server's files were committed.

The one thing to know: the child is another process so that its seconds of Python do not keep the arbiter
from beating; it ends by itself, by its time limit, or by its memory limit, and is then named as an error.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from daemons.net.durable import Durable
from daemons.wire.configuration import Compile, CompiledShards, FilesAgree
from daemons.wire.messages import Done, Failed, Message

COMPILE_S = 300.0
_decode = msgspec.msgpack.Decoder(CompiledShards).decode


class Compiler:
    """The local service "configuration" of an arbiter."""

    def __init__(self, files: tuple[str, ...], base: "FilesBase", by: str) -> None:
        """`files`: the main files of this server; `by` names them for people."""
        self.files = files
        self.base = base
        self.by = by
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    def close(self) -> None:
        """End a child under way: nobody waits for what it compiles."""
        self._closed = True
        if (child := self._child) is not None:
            child.kill()

    def apply(self, message: Message) -> Message:
        """Serve the arbiter. May take minutes."""
        match message:
            case Compile(document):
                return self._compile(document)
            case FilesAgree(files_hash):
                return self._remember(files_hash)
            case _:
                return Failed(f"not for the compiler: {type(message).__name__}")

    def _compile(self, document: bytes) -> Message:
        words = ["-"] if document else [self.by, *self.files]
        began = time.monotonic()
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "daemons", "compile", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            return Failed(f"cannot compile: {error}")
        self._child = child
        if self._closed:
            child.kill()
        try:
            answer, errors = child.communicate(document, COMPILE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return Failed(f"not compiled after {COMPILE_S:.0f} s")
        finally:
            self._child = None
        if child.returncode:
            said = errors.decode(errors="replace").strip().splitlines()
            return Failed(f"the compiler ended with code {child.returncode}: {said[-1] if said else ''}")
        try:
            compiled = _decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Failed(f"the compiler answered nonsense: {error}")
        return replace(
            compiled,
            base=self.base.read(),
            time_zone=local_time_zone(),
            took_s=time.monotonic() - began,
        )

    def _remember(self, files_hash: str) -> Message:
        try:
            self.base.write(files_hash)
        except OSError as error:
            return Failed(f"{self.base.path}: {error}")
        return Done()


class FilesBase:
    """The `files_hash` that this server's files last had in common with the cluster: what edits are made from."""

    def __init__(self, spool: Path) -> None:
        """Keep it in `spool`."""
        self.path = spool / "configuration.base"

    def read(self) -> str:
        """Return it, "" when it is not known."""
        return Durable(self.path).read().decode(errors="replace")

    def write(self, files_hash: str) -> None:
        """Remember it. Raises OSError."""
        if self.read() != files_hash:
            Durable(self.path).write(files_hash.encode())


def local_time_zone() -> str:
    """Return the name of this machine's time zone, as well as it can be known: "Europe/Vienna", "CET"."""
    if said := os.environ.get("TZ", ""):
        return said.removeprefix(":")
    where = os.path.realpath("/etc/localtime")
    _, found, name = where.partition("/zoneinfo/")
    return name if found else time.tzname[0]
