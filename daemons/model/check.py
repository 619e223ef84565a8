"""Orders to run a command, and what came of them: shared by schedulers, pollers, reactionners, workers.

Workers import only this file and msgspec, so it must import nothing else of ours.
"""

from msgspec import Struct

OUTPUT_BYTES_MAX = 65536  # of one plugin's output; the rest is read and thrown away

# Exit codes a worker makes up when there is none of a plugin (above any real one).
CODE_TIMEOUT = 1000  # killed: it ran longer than its time-out
CODE_NOT_STARTED = 1001  # could not be started; `output` says why
CODE_SIGNALLED = 1002  # ended by a signal; `output` says which when the plugin said nothing


def told_code(code: int) -> str:
    """Return what a log line says of a result's code: the exit code, or what happened instead."""
    made_up = {CODE_TIMEOUT: "timed out", CODE_NOT_STARTED: "not started", CODE_SIGNALLED: "killed"}
    return made_up.get(code, str(code))


class Order(Struct, array_like=True, gc=False, frozen=True):
    """One run of a command. The first four fields come back untouched in its `Result`."""

    shard: int  # the shard that wants the result
    epoch: int  # of the shard's lease when the order was made
    object: str  # "host", "host;service", or the id of a notification or event handler
    seq: int  # grows per object; with epoch and object it names this run for ever
    command: str  # command line, macros resolved
    timeout_s: float
    env: dict[str, str] = {}  # added to the worker's own small environment


class Result(Struct, array_like=True, gc=False, frozen=True):
    """What one run of a command gave."""

    shard: int
    epoch: int
    object: str
    seq: int
    code: int  # exit code 0..255, or one of CODE_*
    started_wall: float  # seconds since the Unix epoch
    took_s: float
    output: str  # stdout, then stderr when stdout was empty; UTF-8 with replacement, NULs removed
