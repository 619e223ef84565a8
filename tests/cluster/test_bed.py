"""The bed itself: each fault does what its name says, and nothing of a bed outlives its process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.bed import Bed, Server
from tests.live.cluster import wait_until

ECHO = """
import socket, sys, threading
def serve(line):
    with line:
        while data := line.recv(65536):
            line.sendall(data)
door = socket.create_server(("", 9000))
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
"""


def echo(server: Server) -> subprocess.Popen[bytes]:
    """Return a running echo server on port 9000 of `server`."""
    process = server.run([sys.executable, "-u", "-c", ECHO])
    wait_until(lambda: ask(server, server.name)[0] == "answered", 5, "the echo listens")
    return process


def ask(source: Server, target: str, timeout_s: float = 0.5, count: int = 1) -> tuple[str, float]:
    """Return what became of `count` bytes sent from `source` to the echo of `target`, and the seconds."""

    def call() -> str:
        with contextlib.closing(socket.create_connection((target, 9000), timeout_s)) as line:
            line.sendall(bytes(count))
            got = 0
            while got < count:
                data = line.recv(65536)
                if not data:
                    return "closed"
                got += len(data)
        return "answered"

    began = time.monotonic()
    try:
        said = source.inside(call)
    except OSError as error:
        said = type(error).__name__
    return said, time.monotonic() - began


@pytest.fixture
def pair(bed: Bed) -> tuple[Server, Server]:
    """server1, who asks, and server2, who answers."""
    echo(bed["server2"])
    return bed["server1"], bed["server2"]


def test_each_server_has_a_name_addresses_processes_and_mounts_of_its_own(bed: Bed):
    one = bed["server1"]
    assert one.inside(socket.gethostname) == "server1"
    assert one.inside(lambda: socket.gethostbyname("server3")) == "10.99.0.3"
    assert one.space.pids() == []
    one.disk(one.folder / "own", "1m")
    one.sh(f"echo x > {one.folder}/own/file")
    assert not (one.folder / "own" / "file").exists() and one.seen(one.folder / "own" / "file").exists()


def test_a_cut_drops_and_the_third_server_is_not_concerned(bed: Bed, pair):
    one, _ = pair
    bed.part("server1", "server2")
    said, took_s = ask(one, "server2")
    assert said == "TimeoutError" and took_s > 0.4
    assert ask(bed["server3"], "server2")[0] == "answered"
    bed.heal()
    assert ask(one, "server2")[0] == "answered"


def test_a_cut_by_reset_is_noticed_at_once(bed: Bed, pair):
    bed.part("server1", "server2", "reset")
    said, took_s = ask(pair[0], "server2")
    assert said == "ConnectionRefusedError" and took_s < 0.3


def test_one_way_what_is_asked_arrives_and_what_is_answered_does_not(bed: Bed):
    one, two = bed["server1"], bed["server2"]
    bed.block("server2", "server1")
    heard = two.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    mouth = one.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with heard, mouth:
        heard.bind((two.address, 5000))
        heard.settimeout(1)
        mouth.settimeout(0.2)
        mouth.sendto(b"asked", (two.address, 5000))
        data, at = heard.recvfrom(99)
        heard.sendto(b"answered", at)
        assert data == b"asked"
        with pytest.raises(TimeoutError):
            mouth.recv(99)


def test_an_isolated_server_reaches_nobody_and_the_others_each_other(bed: Bed, pair):
    bed.isolate("server1")
    assert ask(pair[0], "server2")[0] == "TimeoutError"
    assert ask(bed["server3"], "server2")[0] == "answered"


def test_a_pulled_cable_heals(bed: Bed, pair):
    one, two = pair
    two.link(False)
    assert ask(one, "server2")[0] != "answered"
    two.link(True)
    wait_until(lambda: ask(one, "server2")[0] == "answered", 5, "the link is back")


def test_delay_jitter_loss_and_bandwidth(bed: Bed, pair):
    one, two = pair
    bed.delay("server1", "server2", 0.05, 0.01)
    bed.delay("server2", "server1", 0.05, 0.01)
    said, took_s = ask(one, "server2", 3)
    assert said == "answered" and took_s > 0.15, "connect and one question are two round trips"
    bed.heal()
    bed.lose("server1", "server2", 30)
    arrived = _datagrams(one, two, 300)
    assert 150 < arrived < 260
    bed.heal()
    one.bandwidth("8mbit")
    said, took_s = ask(one, "server2", 8, count=500_000)
    assert said == "answered" and took_s > 0.4


def _datagrams(one: Server, two: Server, count: int) -> int:
    ear = two.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    mouth = one.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with ear, mouth:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        ear.bind((two.address, 5001))
        ear.settimeout(0.5)
        for _ in range(count):
            mouth.sendto(b"x", (two.address, 5001))
        got = 0
        with contextlib.suppress(TimeoutError):
            while got < count:
                ear.recv(9)
                got += 1
    return got


def test_a_stopped_process_and_a_frozen_server_say_nothing_and_go_on_later(bed: Bed, pair):
    one, two = pair
    pids = [int(pid) for pid in two.sh("pidof -s python3 python || pgrep -f create_server").split()]
    two.signal(pids, signal.SIGSTOP)
    assert ask(one, "server2")[0] == "TimeoutError"
    two.signal(pids, signal.SIGCONT)
    assert ask(one, "server2")[0] == "answered"
    two.freeze()
    assert ask(one, "server2")[0] == "TimeoutError"
    two.freeze(False)
    assert ask(one, "server2")[0] == "answered"


def test_power_off_ends_all_at_once_without_a_word_and_the_disk_stays(bed: Bed, pair):
    one, two = pair
    two.disk(two.folder / "disk", "1m")
    two.sh(f"echo kept > {two.folder}/disk/file")
    line = one.inside(lambda: socket.create_connection(("server2", 9000), 1))
    two.power_off()
    assert two.space.pids() == []
    two.power_on()
    assert "10.99.0.2:9000" in one.sh("ss -Htn state established dst 10.99.0.2"), "half-open"
    assert two.seen(two.folder / "disk" / "file").read_text() == "kept\n"
    with line:
        line.settimeout(3)
        with pytest.raises(OSError):
            line.send(b"x")
            if line.recv(1) == b"":
                raise ConnectionResetError
    echo(two)
    assert ask(one, "server2")[0] == "answered"


def test_a_clock_that_jumps_and_drifts_leaves_the_monotonic_one_alone(bed: Bed):
    server = bed["server1"]
    code = "import time\nwhile input(): time.sleep(0.01); print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)"
    out = server.folder / "out"
    fifo = server.folder / "in"
    os.mkfifo(fifo)
    server.run(["sh", "-c", f"{sys.executable} -c '{code}' < {fifo} > {out}"], skewed=True)
    with open(fifo, "w", buffering=1) as questions:
        read = [_clocks(server, questions, out, by_s) for by_s in (0, 3600, -3600)]
    walls = [wall - boot for wall, boot in read]
    assert 3595 < walls[1] - walls[0] < 3605 and -3605 < walls[2] - walls[0] < -3595
    assert 0 <= read[2][1] - read[0][1] < 5


def _clocks(server: Server, questions, out: Path, by_s: float) -> tuple[float, float]:
    server.skew(by_s)
    before = len(out.read_text().splitlines()) if out.exists() else 0
    questions.write("?\n")
    wait_until(lambda: out.exists() and len(out.read_text().splitlines()) > before, 5, "it told the time")
    wall, boot = out.read_text().splitlines()[-1].split()
    return float(wall), float(boot)


def test_full_and_readonly_disks(bed: Bed):
    server, disk = bed["server1"], bed["server1"].folder / "disk"
    server.disk(disk, "256k")
    write: Callable[[], str] = lambda: server.sh(f"sh -c 'echo xx >> {disk}/f' 2>&1 || true")  # noqa: E731
    assert write() == ""
    server.disk_full(disk)
    server.sh(f"truncate -s 0 {disk}/f")
    server.disk_full(disk)
    assert "No space" in server.sh(f"sh -c 'head -c 8192 /dev/zero >> {disk}/g' 2>&1 || true")
    server.disk_full(disk, False)
    server.disk_readonly(disk)
    assert "Read-only" in write()
    server.disk_readonly(disk, False)
    assert write() == ""


def test_fsync_fails_or_takes_long(bed: Bed):
    server = bed["server1"]
    code = (
        "import os, sys, time\nfd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "while True:\n t = time.monotonic()\n try:\n  os.fsync(fd); said = 'ok'\n except OSError as e: said = e.strerror\n"
        " print(said, time.monotonic() - t, flush=True); time.sleep(0.05)\n"
    )
    out = server.folder / "out"
    server.run([sys.executable, "-c", code, str(server.folder / "file")], log=out)
    wait_until(lambda: "ok" in out.read_text(), 5, "fsync works")
    pids = [int(server.sh("pgrep -f O_CREAT").split()[0])]
    end = server.fsync_fails(pids, "error=EIO")
    wait_until(lambda: "Input/output error" in out.read_text(), 5, "fsync fails")
    end()
    end = server.fsync_fails(pids, "delay_enter=300000")
    slow = lambda: any(float(line.split()[-1]) > 0.25 for line in out.read_text().splitlines()[:-1])  # noqa: E731
    wait_until(slow, 5, "fsync is slow")
    end()
    before = len(out.read_text().splitlines())
    wait_until(lambda: len(out.read_text().splitlines()) > before + 2, 5, "it goes on")


def test_memory_cpu_processes_and_descriptors_are_limited(bed: Bed):
    server = bed["server1"]
    hungry = [sys.executable, "-c", "x = [bytearray(b'x') * 1048576 for _ in range(200)]"]
    server.group.memory(60 << 20)
    assert server.run(hungry).wait(20) != 0
    server.group.memory()
    assert server.run(hungry).wait(20) == 0
    spin = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"]
    server.group.cpu(0.1)
    began = time.monotonic()
    server.run(spin).wait(20)
    assert time.monotonic() - began > 1.0
    server.group.cpu()
    server.group.processes(4)
    assert server.run(["sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1 & done; wait"]).wait(10) != 0
    server.group.processes()
    process = server.run(["sleep", "30"])
    wait_until(lambda: server.sh("pgrep -x sleep || true").split()[1:], 5, "it runs")
    pid = max(int(p) for p in server.sh("pgrep -x sleep").split())
    server.descriptors([pid], 20)
    assert "20" in server.sh(f"grep 'open files' /proc/{pid}/limits")
    assert process.poll() is None


def test_nothing_of_a_bed_outlives_a_killed_process(tmp_path: Path):
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.cluster.bed import Bed\n"
        f"bed = Bed(Path({str(tmp_path)!r}), 2, '10.98.0')\n"
        "bed['server1'].run(['sleep', '7654']); bed['server2'].run(['sh', '-c', 'setsid sleep 7655 & sleep 7656'])\n"
        "while len(bed['server1'].space.pids() + bed['server2'].space.pids()) < 4: pass\n"
        "bed['server1'].freeze(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with Bed(tmp_path / "next", 1, "10.97.0"):  # a frozen server needs the next bed's sweep
        pass
    wait_until(lambda: not _running("sleep", ("7654", "7655", "7656")), 5, "its processes are gone")


def _running(program: str, words: tuple[str, ...]) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                said = (entry / "cmdline").read_bytes().decode().split("\0")
                if said[0] == program and said[1] in words:
                    found.append(entry.name)
    return found
