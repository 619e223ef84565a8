"""A real etcd of one's own: started on free loopback ports with a folder of its own, ended by its pid."""

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest


class EtcdServer:
    """One etcd process; `url` stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        """Start it; skips the test when etcd is not installed."""
        self.binary = shutil.which("etcd") or ""
        if not self.binary:
            pytest.skip("install etcd-server")
        self.folder = folder
        client, peer = (_free_port() for _ in range(2))
        self.url = f"http://127.0.0.1:{client}"
        self.peer = f"http://127.0.0.1:{peer}"
        self.start()

    def start(self) -> None:
        """Start it with what is in its folder and wait until it answers."""
        self.process = subprocess.Popen(
            [
                self.binary, "--name", "one", "--data-dir", str(self.folder / "data"),
                "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
                "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
                "--initial-cluster", f"one={self.peer}",
                "--heartbeat-interval", "20", "--election-timeout", "200", "--log-level", "error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._healthy():
            assert self.process.poll() is None, "etcd did not start"
            assert time.monotonic() < deadline, "etcd does not answer"
            time.sleep(0.02)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return json.load(answer)["health"] == "true"
        except (OSError, ValueError, KeyError):
            return False

    def pause(self) -> None:
        """Let it hang."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(timeout=10)

    def wipe(self) -> None:
        """Start it again without its memory."""
        self.stop()
        shutil.rmtree(self.folder / "data")
        self.start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
