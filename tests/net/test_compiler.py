"""The arbiter's compiler: a child process that does not outlive who asked it."""

import os
import threading
import time
from pathlib import Path

from daemons.net.compiler import Compiler, FilesBase
from daemons.wire.configuration import Compile
from daemons.wire.messages import Failed, Message


def test_a_compiler_that_is_closed_ends_its_child(tmp_path: Path) -> None:
    slow = tmp_path / "slow.cfg"
    os.mkfifo(slow)  # the child waits for a writer that never comes
    compiler = Compiler((str(slow),), FilesBase(tmp_path), "a test")
    answers: list[Message] = []
    asking = threading.Thread(target=lambda: answers.append(compiler.apply(Compile(b""))))
    asking.start()
    deadline = time.monotonic() + 20
    while compiler._child is None:
        assert time.monotonic() < deadline, "no child was started"
        asking.join(0.01)
    compiler.close()
    asking.join(20)

    assert not asking.is_alive()
    assert isinstance(answers[0], Failed) and "ended with code -9" in answers[0].why
