"""A real memcached of one's own: started on a free loopback port, ended by its pid."""

import os
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest


class MemcachedServer:
    """One memcached process; `address` stays the same over restarts."""

    def __init__(self, *options: str) -> None:
        """Start it; skips the test when memcached is not installed."""
        self.binary = shutil.which("memcached") or ""
        if not self.binary:
            pytest.skip("install memcached")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address: tuple[str, int] = probe.getsockname()
        self.options = options
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        host, port = self.address
        command = [self.binary, *user, "-U", "0", "-l", host, "-p", str(port), *self.options]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(self.address, timeout=1) as connection:
                    connection.sendall(b"version\r\n")
                    assert connection.recv(100).startswith(b"VERSION")
                    return
            except ConnectionRefusedError:
                assert self.process.poll() is None, "memcached did not start"
                assert time.monotonic() < until, "memcached does not answer"
                select.select([], [], [], 0.01)

    def pause(self) -> None:
        """Let it hang: connections are taken, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it, hanging or not, and wait for its end."""
        self.process.kill()
        self.process.wait(10)

    def restart(self) -> None:
        """Come back at the same address with nothing in it."""
        self.stop()
        self.start()
