"""A real redis, and real sentinels, of one's own: on free loopback ports, ended by their pids."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

MASTER = "states"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed(name: str) -> str:
    """Where the program is; a test without it skips, but not where CI could have installed it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("SHINKEN_CI") and os.geteuid() == 0:
            pytest.fail(f"{name} is missing: make test-deps")
        pytest.skip(f"install {name}")
    return found


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (RedisError, OSError):
            pass
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class RedisServer:
    """One redis process that keeps nothing on disk; `address` stays the same over restarts."""

    def __init__(self, *options: str) -> None:
        self.binary = installed("redis-server")
        self.address = ("127.0.0.1", free_port())
        self.options = options
        self.start()

    def start(self) -> None:
        host, port = self.address
        self.folder = tempfile.mkdtemp(prefix="redis-")
        command = [self.binary, "--bind", host, "--port", str(port), "--save", "", "--dir", self.folder]
        command += ["--appendonly", "no", "--repl-diskless-sync-delay", "0", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: bool(self.client().ping()), "redis answers")

    def client(self, timeout_s: float = 1.0) -> Redis:
        return Redis(
            *self.address, socket_timeout=timeout_s, socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0), protocol=2,
        )  # fmt: skip

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """Come back at the same address with nothing in it."""
        self.stop()
        self.start()


class Watched:
    """A master, a replica, and `count` sentinels that agree with a majority."""

    def __init__(self, count: int = 3) -> None:
        self.servers = [RedisServer(), RedisServer()]
        host, port = self.servers[0].address
        self.servers[1].client().replicaof(host, str(port))
        until(self._linked, "the replica follows")
        self.folder = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self.sentinels: list[tuple[str, int]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        binary = installed("redis-sentinel")
        for no in range(count):
            self.sentinels.append(("127.0.0.1", free_port()))
            config = self.folder / f"{no}.conf"
            config.write_text(
                f"port {self.sentinels[-1][1]}\nbind 127.0.0.1\ndir {self.folder}\n"
                f"sentinel monitor {MASTER} {host} {port} {count // 2 + 1}\n"
                f"sentinel down-after-milliseconds {MASTER} 500\n"
                f"sentinel failover-timeout {MASTER} 3000\n"
            )
            self.processes.append(
                subprocess.Popen(
                    [binary, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        until(lambda: all(self._ready(address, count) for address in self.sentinels), "sentinels agree")

    @property
    def master(self) -> tuple[str, int]:
        """Who is master by the first sentinel."""
        found = self._sentinel(self.sentinels[0]).sentinel_master(MASTER)
        return str(found["ip"]), int(found["port"])

    def kill_master(self) -> RedisServer:
        """Kill the master; return the replica that was promoted."""
        was = self.master
        dead = next(server for server in self.servers if server.address == was)
        dead.stop()
        until(lambda: self.master != was, "a replica is promoted", 60)
        promoted = next(server for server in self.servers if server.address == self.master)
        until(lambda: promoted.client().info("replication")["role"] == "master", "it is master")
        return promoted

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _linked(self) -> bool:
        return bool(self.servers[1].client().info("replication").get("master_link_status") == "up")

    def _ready(self, address: tuple[str, int], count: int) -> bool:
        state = self._sentinel(address).sentinel_master(MASTER)
        return int(state["num-slaves"]) == 1 and int(state["num-other-sentinels"]) == count - 1

    def _sentinel(self, address: tuple[str, int]) -> Redis:
        return Redis(*address, socket_timeout=1.0, retry=Retry(NoBackoff(), 0), protocol=2)
