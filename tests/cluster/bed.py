"""A bed of servers on one machine, and every way to break them: namespaces, no containers, nothing outside them.

    with Bed(folder, 3) as bed:                  # server1..3 at 10.99.0.1-3, joined by a bridge
        process = bed["server1"].run(["memcached", "-u", "root", "-l", "server1"])
        bed.part("server1", "server2")
        bed["server3"].power_off()

The one thing to know: faults are set in the *receiving* server, so each direction is a fault of its own.
"""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from tests.cluster.limits import Group, sweep
from tests.cluster.slow import Delay, netlink
from tests.cluster.spaces import BedFailed, Space, command, die_with_parent

T = TypeVar("T")
How = Literal["drop", "reset"]

NEEDS = ("unshare", "nsenter", "ip", "nft", "iptables", "tc", "ss")
SKEW = Path(__file__).with_name("skew.c")
RULES = """
table inet faults {
    set dropped { type ipv4_addr; }
    set refused { type ipv4_addr; }
    chain arriving {
        type filter hook input priority -10;
        ip saddr @dropped drop
        tcp flags rst accept
        ip saddr @refused meta l4proto tcp reject with tcp reset
    }
    chain loses {
        type filter hook input priority -5;
    }
}
"""


def lacking() -> str:
    """Return why there can be no bed on this machine, "" when there can."""
    if os.geteuid() != 0:
        return "needs root for namespaces"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [tool for tool in NEEDS if shutil.which(tool, path=path) is None]
    if missing:
        return f"needs {', '.join(missing)} (make test-deps)"
    try:
        sweep()
        Group("probe").close()
    except (BedFailed, OSError) as error:
        return f"needs cgroup v1: {error}"
    return ""


class Server:
    """One server: network, host name, mounts, processes and control groups of its own."""

    def __init__(self, bed: "Bed", number: int) -> None:
        """Boot it; the bed connects it afterwards."""
        self.bed = bed
        self.number = number
        self.name = f"server{number}"
        self.address = f"{bed.network}.{number}"
        self.folder = bed.folder / self.name
        self.folder.mkdir(parents=True)
        self.clock = self.folder / "clock"
        self.skew(0)
        setup = f"mount --bind {bed.hosts} /etc/hosts; hostname {self.name}; ip link set lo up"
        self.space = Space(self.name, setup)
        self.group = Group(self.name)
        self._started: list[subprocess.Popen[bytes]] = []

    # -- processes

    def run(
        self, argv: Sequence[str], *, env: dict[str, str] | None = None, skewed: bool = False,
        log: Path | None = None,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start a process on the server; it and what it starts are frozen, limited and powered off with it.

        What the answer tells of is the command that entered the server: it ends with the process, and with the
        thread of ours that called this.
        """
        more = dict(env or {})
        if skewed:
            more |= {"LD_PRELOAD": str(self.bed.preload()), "BED_CLOCK": str(self.clock)}
        inside = ["env", *(f"{name}={value}" for name, value in more.items()), *argv]
        with open(log or os.devnull, "ab") as said:
            process = subprocess.Popen(
                ["sh", "-c", f'{self.group.join} exec "$@"', "sh", *self.space.prefix, *inside],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        self._started = [p for p in self._started if p.poll() is None] + [process]
        return process

    def sh(self, line: str) -> str:
        """Return what a shell line printed on the server, outside of its limits. Raises BedFailed."""
        return self.space.sh(line)

    def inside(self, what: Callable[[], T]) -> T:
        """Return `what()`, run in a thread of ours that is on the server."""
        return self.space.inside(what)

    def signal(self, pids: Iterable[int], sign: signal.Signals) -> None:
        """Send `sign` to processes, by their numbers on the server."""
        for pid in pids:
            number = self.space.outside(pid)
            if number:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, sign)

    # -- the whole server

    def freeze(self, on: bool = True) -> None:
        """Stop everything on it at once, as when a hypervisor pauses it; or let it go on."""
        self.group.freeze(on)

    def power_off(self) -> None:
        """Pull the plug: every process is gone at one instant, no FIN or RST leaves. Its disk stays."""
        self.link(False)
        self.group.freeze(True)
        for pid in self.space.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.group.freeze(False)
        deadline = time.monotonic() + 5
        while self.space.pids():
            if time.monotonic() > deadline:
                raise BedFailed(f"{self.name}: processes do not end: {self.space.pids()}")
            time.sleep(0.005)
        self.sh("ss -HtnaK >/dev/null")

    def power_on(self) -> None:
        """Give it its network back; its software is started by whoever wants it."""
        self.link(True)

    def link(self, up: bool) -> None:
        """Pull the network cable, or put it back."""
        self.bed.hub.sh(f"ip link set to-{self.number} {'up' if up else 'down'}")

    def bandwidth(self, rate: str) -> None:
        """Let it send no faster than `rate` ("1mbit"); "" = as it can."""
        if rate:
            self.sh(f"tc qdisc replace dev eth0 root tbf rate {rate} burst 16kb latency 2s")
        else:
            self.sh("tc qdisc del dev eth0 root 2>/dev/null || true")

    def skew(self, by_s: float, rate: float = 1.0) -> None:
        """Shift the wall clock of what was run `skewed`, at once; `rate` 1.05: from now on it gains 5 %."""
        with open(self.clock, "r+b" if self.clock.exists() else "xb") as file:  # in place: it is mapped
            file.write(struct.pack("=ddd", by_s, rate, time.time()))

    # -- its disk

    def disk(self, path: Path, size: str) -> None:
        """Give it a disk of `size` ("64m") at `path`, which only processes on the server see."""
        path.mkdir(parents=True, exist_ok=True)
        self.sh(f"mount -t tmpfs -o size={size} tmpfs {path}")

    def seen(self, path: Path) -> Path:
        """Return where a file of the server, also one on a disk of its own, is to be found from outside."""
        return Path(f"/proc/{self.space.pid1}/root{path}")

    def disk_full(self, path: Path, full: bool = True) -> None:
        """Fill the disk at `path` to its last byte, or free it again."""
        self.sh(f"cat /dev/zero > {path}/.filler 2>/dev/null || true" if full else f"rm -f {path}/.filler")

    def disk_readonly(self, path: Path, on: bool = True) -> None:
        """Refuse every write to the disk at `path`, as ext4 does after an error."""
        self.sh(f"mount -o remount,{'ro' if on else 'rw'} {path}")

    def fsync_fails(self, pids: Iterable[int], how: str) -> Callable[[], None]:
        """Tamper with fsync of processes (numbers on the server): `how` is "error=EIO" or "delay_enter=500000" (µs).

        Returns what ends it.
        """
        numbers = [n for pid in pids if (n := self.space.outside(pid))]
        tracer = subprocess.Popen(
            ["strace", "-qq", "-f", "-e", "trace=fsync,fdatasync", "-e", f"inject=fsync,fdatasync:{how}",
             *(word for n in numbers for word in ("-p", str(n)))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 5
        while not all(_traced(n) for n in numbers):
            if time.monotonic() > deadline or tracer.poll() is not None:
                tracer.kill()
                raise BedFailed(f"{self.name}: strace does not attach to {numbers}")
            time.sleep(0.01)

        def end() -> None:
            tracer.terminate()
            tracer.wait(10)

        return end

    def descriptors(self, pids: Iterable[int], limit: int) -> None:
        """Leave processes (numbers on the server) so many file descriptors."""
        for pid in pids:
            command("prlimit", "--pid", str(self.space.outside(pid)), f"--nofile={limit}:")

    def close(self) -> None:
        """End it."""
        self.freeze(False)
        self.space.close()
        for process in self._started:  # the outer end of each: groups with the unburied in them stay
            process.kill()
            process.wait(5)
        self.group.close()


class Bed:
    """Servers on one bridge. A context manager; all is gone with it, or with our process."""

    def __init__(self, folder: Path, servers: int, network: str = "10.99.0") -> None:
        """Boot `servers` servers, with their folders below `folder`. Raises BedFailed."""
        if why := lacking():
            raise BedFailed(why)
        self.folder = folder
        self.network = network
        self.servers: dict[str, Server] = {}
        self._delays: dict[tuple[str, str], Delay] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.hosts = folder / "hosts"
        named = "".join(f"{network}.{n} server{n}\n" for n in range(1, servers + 1))
        self.hosts.write_text(f"127.0.0.1 localhost\n{named}")
        self.hub = Space("hub", "ip link add hub type bridge; ip link set hub up; ip link set lo up", private=False)
        try:
            for number in range(1, servers + 1):
                self._add(number)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Server:
        """Return the server called `name`."""
        return self.servers[name]

    def __enter__(self) -> "Bed":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every server."""
        self.close()

    def close(self) -> None:
        """End every server."""
        for delay in self._delays.values():
            delay.close()
        for server in self.servers.values():
            server.close()
        self.hub.close()

    def preload(self) -> Path:
        """Return the library that skews clocks, made at the first use."""
        library = self.folder / "skew.so"
        if not library.exists():
            command("cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SKEW))
        return library

    # -- the network between them

    def block(self, source: str, target: str, how: How = "drop") -> None:
        """Let nothing of `source` arrive at `target`: dropped, or answered with a reset."""
        which = "dropped" if how == "drop" else "refused"
        self[target].sh(f"nft add element inet faults {which} '{{ {self[source].address} }}'")

    def part(self, one: str, other: str, how: How = "drop") -> None:
        """Cut two servers from each other."""
        self.block(one, other, how)
        self.block(other, one, how)

    def isolate(self, name: str, how: How = "drop") -> None:
        """Cut a server from all others."""
        for other in self.servers:
            if other != name:
                self.part(name, other, how)

    def lose(self, source: str, target: str, percent: int) -> None:
        """Lose so many of the packets from `source` to `target`."""
        self[target].sh(
            f"nft add rule inet faults loses ip saddr {self[source].address} numgen random mod 100 '<' {percent} drop"
        )

    def delay(self, source: str, target: str, delay_s: float, jitter_s: float = 0.0) -> None:
        """Make packets from `source` to `target` late; jitter also changes their order."""
        known = self._delays.get((source, target))
        if known is not None:
            known.delay_s, known.jitter_s = delay_s, jitter_s
            return
        server, number = self[target], self[source].number
        self._delays[source, target] = Delay(server.inside(netlink), number, delay_s, jitter_s)
        server.sh(f"iptables -w -A INPUT -s {self[source].address} -j NFQUEUE --queue-num {number} --queue-bypass")

    def heal(self) -> None:
        """Take every fault of the network away."""
        for server in self.servers.values():
            server.sh(
                "nft flush set inet faults dropped; nft flush set inet faults refused; nft flush chain inet faults loses; "
                "iptables -w -F INPUT 2>/dev/null || true"
            )
            server.bandwidth("")
            server.link(True)
        for delay in self._delays.values():
            delay.close()
        self._delays.clear()

    def _add(self, number: int) -> None:
        server = Server(self, number)
        self.servers[server.name] = server
        self.hub.sh(
            f"ip link add to-{number} type veth peer name eth0 netns {server.space.pid1}; "
            f"ip link set to-{number} master hub up"
        )
        server.sh(f"ip addr add {server.address}/24 dev eth0 && ip link set eth0 up")
        server.space.sh("nft -f -", stdin=RULES)


def _traced(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "TracerPid:\t0\n" not in status
