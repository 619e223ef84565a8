"""The worker process: real commands, a real socket, and the ways in which plugins misbehave."""

import fcntl
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import daemons
from daemons.model.check import (
    CODE_NOT_STARTED,
    CODE_SIGNALLED,
    CODE_TIMEOUT,
    OUTPUT_BYTES_MAX,
    Order,
    Result,
)
from daemons.net import worker as worker_module
from daemons.net.worker import (
    ORDERS,
    PURGE,
    PURGED,
    RESULTS,
    TO_PARENT,
    TO_WORKER,
    plugin_environment,
    session_members,
    words_of,
)

PATIENCE_S = 20.0


def until(condition: Callable[[], bool], why: str) -> None:
    """Wait for `condition`."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, why
        time.sleep(0.01)


def order(command: str, seq: int = 1, timeout_s: float = 15.0, **more) -> Order:
    return Order(
        **{"shard": 1, "epoch": 1, "object": "web1", **more},
        seq=seq,
        command=command,
        timeout_s=timeout_s,
    )


class Hand:
    """A worker process and its parent's end of the socket, worked by hand."""

    def __init__(
        self, in_flight: int = 64, fresh: int = 8, fresh_s: float = 0.025, env=None
    ) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE_S)
        site, root = Path(msgspec.__file__).parents[1], Path(daemons.__file__).parents[1]
        words = [sys.executable, "-I", "-S", "-X", "utf8", worker_module.__file__, site, root]
        with theirs:
            self.process = subprocess.Popen(
                [*map(str, words), f"{in_flight},{fresh},{fresh_s},0.01"],
                stdin=theirs.fileno(),
                start_new_session=True,
                env=os.environ | (env or {}),
            )
        self.inbox = b""

    def send(self, *orders: Order) -> None:
        self.frame(ORDERS, msgspec.msgpack.encode(orders))

    def frame(self, kind: int, body: bytes) -> None:
        self.socket.sendall(TO_WORKER.pack(len(body), kind) + body)

    def next_frame(self) -> tuple[int, int, int, bytes]:
        """Kind, count, shard, body."""
        size, kind, count, shard = TO_PARENT.unpack(self.take(TO_PARENT.size))
        return kind, count, shard, self.take(size)

    def take(self, size: int) -> bytes:
        while len(self.inbox) < size:
            data = self.socket.recv(1 << 20)
            assert data, "the worker closed its socket"
            self.inbox += data
        taken, self.inbox = self.inbox[:size], self.inbox[size:]
        return taken

    def results(self, count: int) -> list[Result]:
        """The next `count` results, by seq."""
        found: list[Result] = []
        while len(found) < count:
            kind, told, shard, body = self.next_frame()
            batch = msgspec.msgpack.decode(body, type=list[Result])
            assert kind == RESULTS
            assert len(batch) == told
            assert {result.shard for result in batch} == {shard}
            found += batch
        return sorted(found, key=lambda result: result.seq)

    def result(self, command: str, timeout_s: float = 15.0, **more) -> Result:
        self.send(order(command, timeout_s=timeout_s, **more))
        return self.results(1)[0]

    def end(self) -> None:
        self.socket.close()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def hire() -> Iterator[Callable[..., Hand]]:
    """Starts workers; all are ended after the test."""
    hired: list[Hand] = []

    def one(**settings) -> Hand:
        hired.append(Hand(**settings))
        return hired[-1]

    yield one
    for hand in hired:
        hand.end()


@pytest.fixture
def hand(hire) -> Hand:
    return hire()


def script(folder: Path, text: str, name: str = "plugin") -> str:
    """An executable file of `text`; its path."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def alive(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def number_in(file: Path) -> int:
    """The number a plugin wrote to `file`, once it is there."""
    until(lambda: file.exists() and file.read_text().endswith("\n"), f"{file} is not written")
    return int(file.read_text())


# ------------------------------------------------------------------ command lines


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/bin/a", ["/bin/a"]),
        ("  /bin/a \t b  ", ["/bin/a", "b"]),
        (
            "/bin/a -w 5% -c 10%,20 -H host.example",
            ["/bin/a", "-w", "5%", "-c", "10%,20", "-H", "host.example"],
        ),
        ("/bin/a 'b c' \"d e\"", ["/bin/a", "b c", "d e"]),
        ("/bin/a b'c d'e\"f\"", ["/bin/a", "bc def"]),
        ("/bin/a '' \"\"", ["/bin/a", "", ""]),
        (r"/bin/a b\ c \"d\" \'", ["/bin/a", "b c", '"d"', "'"]),
        (r'/bin/a "\" \\ \n \$x"', ["/bin/a", r'" \ \n $x']),
        (r"/bin/a 'it'\''s'", ["/bin/a", "it's"]),
        (
            "/bin/a '$HOME `x` *?[ab] | & ; < > ( ) ~ #'",
            ["/bin/a", "$HOME `x` *?[ab] | & ; < > ( ) ~ #"],
        ),
        ("/bin/a x=y -o --opt=z b#c b~", ["/bin/a", "x=y", "-o", "--opt=z", "b#c", "b~"]),
        ("/bin/a !5 ^x @1 +2 :3 a]b }", ["/bin/a", "!5", "^x", "@1", "+2", ":3", "a]b", "}"]),
        ("/bin/é 'ü ö' ß", ["/bin/é", "ü ö", "ß"]),
        ("/bin/a 'line\nline'", ["/bin/a", "line\nline"]),
        ('/bin/a "b\\\nc"', ["/bin/a", "bc"]),
    ],
)
def test_quotes_are_split_as_a_shell_would(line, words):
    assert words_of(line) == words
    by_shell = subprocess.run(
        ["/bin/sh", "-c", line.replace(words[0], 'printf "%s\\0"', 1)],
        capture_output=True,
        check=True,
    )
    if len(words) > 1:
        assert by_shell.stdout.decode().split("\0")[:-1] == words[1:]


@pytest.mark.parametrize(
    "line",
    [
        "a | b", "a && b", "a; b", "a & ", "a > f", "a < f", "(a)", "a $X", 'a "$X"', "a `b`", 'a "`b`"',
        "a *", "a b?", "a [b]", "a ~", "a ~/b", "a --x=~/b", "a {b,c}", "a # b", "# a", "A=1 b", "A=1", "a\nb",
        "a 'b", 'a "b', "a b\\", "a \\\nb", "! a", "{ a", "if a", "cd /", "exit 2", "test -f x", "echo a",
        "exec a", ". a", ": a", "[ a ]", "[[ a ]]", "'exit' 2", "kill 1", "printf x",
    ],
)  # fmt: skip
def test_what_needs_a_shell_gets_one(line):
    assert words_of(line) is None


NO_SHELL = st.text(alphabet=st.sampled_from("ab/.-:,@%+^!]_=é\"' \t\\"), min_size=1)


@given(NO_SHELL)
def test_lines_without_shell_characters_are_split_as_shlex_does(line):
    words = words_of(f"/bin/x {line}")
    try:
        expected = shlex.split(f"/bin/x {line}")
    except ValueError:  # an open quote, a backslash at the end
        expected = None
    assert words == expected


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
)
def test_quoted_words_come_back_whole(words):
    assert words_of(shlex.join(["/bin/x", *words])) == ["/bin/x", *words]


def told(errors):
    """What is told of a plugin that wrote to stderr only."""
    return f"(No output on stdout) stderr: {errors}" if errors else ""


# each is run by the worker and by `sh -c`: code and output must agree
@pytest.mark.parametrize(
    "line",
    [
        "/bin/echo a 'b  c' \"d\" e\\ f",
        "/bin/echo 'x'\\''y' \"\" end",
        "/bin/echo $((1 + 2)) ${UNSET:-none}",
        "echo one; echo two >&2; exit 2",
        "echo only errors >&2; exit 1",
        "X=5; test $X -gt 3 && echo more",
        "X=y /usr/bin/env | /bin/grep ^X=",
        "printf '%s|%s' a b | cat",
        "/bin/sh -c 'exit 3'",
        "cd / && pwd",
        "/bin/echo *.no-such-file",
        "/bin/echo a{b,c}",
        '/bin/echo 100% "50%" a#b c=d',
        "/bin/echo # nothing",
        "nosuchcommand-x -y; exit $?",
        "exit 255",
        "/bin/echo 'open",
        "true",
    ],
)
def test_a_command_line_does_what_sh_does_with_it(hand, line):
    by_shell = subprocess.run(
        ["/bin/sh", "-c", line],
        capture_output=True,
        env=os.environ | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
    )
    result = hand.result(line)

    assert result.code == by_shell.returncode
    said, errors = by_shell.stdout.rstrip().decode(), by_shell.stderr.rstrip().decode()
    assert result.output == said or (not said and result.output == told(errors))


# ------------------------------------------------------------------ results


def test_the_order_comes_back_in_its_result(hand):
    before = time.time()
    result = hand.result("/bin/sh -c 'exit 2'", shard=7, epoch=1 << 40, object="web1;http", seq=99)

    assert (result.shard, result.epoch, result.object, result.seq, result.code) == (
        7,
        1 << 40,
        "web1;http",
        99,
        2,
    )
    assert before - 1 <= result.started_wall <= time.time() + 1
    assert 0 < result.took_s < PATIENCE_S


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 126, 127, 255])
def test_every_exit_code_is_reported(hand, code):
    assert hand.result(f"/bin/sh -c 'exit {code}'").code == code


def test_standard_error_counts_only_when_nothing_was_said_on_standard_output(hand):
    assert hand.result("echo out; echo err >&2").output == "out"
    assert hand.result("echo err >&2").output == told("err")
    assert hand.result("/bin/true").output == ""


def test_nul_and_invalid_utf8_become_readable_text(hand):
    assert hand.result(r"printf 'a\000b \377\376 \303\251'").output == "ab \ufffd\ufffd é"


@pytest.mark.parametrize("where", ["", " >&2"])
def test_ten_megabytes_of_output_are_cut_and_never_block_the_plugin(hand, where):
    result = hand.result(f"head -c 10000000 /dev/zero | tr '\\0' x{where}; exit 1")

    assert result.code == 1
    said = "x" * OUTPUT_BYTES_MAX
    assert result.output == (told(said) if where else said)


def test_output_written_slowly_is_all_there(hand):
    result = hand.result("for i in 1 2 3 4 5; do echo line $i; sleep 0.07; done")

    assert result.output == "\n".join(f"line {i}" for i in range(1, 6))


def test_the_cut_never_leaves_half_a_character(hand):
    result = hand.result(
        "printf x; for i in 1 2 3 4; do head -c 20000 /dev/zero | sed 's/\\x0/é/g'; done"
    )

    assert result.output.startswith("xéé")
    assert "\ufffd" not in result.output
    assert OUTPUT_BYTES_MAX - 2 <= len(result.output.encode()) <= OUTPUT_BYTES_MAX


def test_a_plugin_that_closes_its_output_and_works_on_costs_no_cpu(hand):
    hand.send(order("exec >&- 2>&-; sleep 1"))
    hand.results(1)
    cpu_ticks = Path(f"/proc/{hand.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]

    assert sum(map(int, cpu_ticks)) < 0.5 * os.sysconf("SC_CLK_TCK")


def test_an_end_by_signal_is_named(hand):
    result = hand.result("kill -SEGV $$")

    assert (result.code, result.output) == (
        CODE_SIGNALLED,
        "(No output on stdout) stderr:\nended by signal 11 (SIGSEGV)",
    )
    assert hand.result("echo last words; kill -9 $$").output == "last words"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/no/such/plugin -x", "/no/such/plugin: command not found"),
        ("no-such-plugin -x", "no-such-plugin: command not found"),
        ("/etc/passwd", "/etc/passwd: Permission denied"),
        ("/etc", "/etc: Permission denied"),
        ("", "empty"),
        ("  ", "empty"),
        ("/bin/echo a\0b", "null byte"),
        ("/bin/echo " + "x" * 200_000, "too long"),
    ],
)
def test_what_cannot_be_started_says_why(hand, line, why):
    result = hand.result(line)

    assert result.code == CODE_NOT_STARTED
    assert why in result.output
    assert "not started: " in result.output
    assert hand.result("/bin/echo still here").output == "still here"


@pytest.mark.parametrize("name", ["/no/such/plugin", "no-such-plugin"])
def test_a_missing_plugin_is_told_of_as_nagios_tells(hand, name):
    first = hand.result(f"{name} -x").output.splitlines()[0]

    reason = "failed. errno is 2: No such file or directory"
    assert first == f"(No output on stdout) stderr: execvp({name}, ...) {reason}"



def test_a_plugin_installed_later_is_found(hand, tmp_path):
    line = f"{tmp_path}/plugin -x"
    assert hand.result(line).code == CODE_NOT_STARTED
    script(tmp_path, "#!/bin/sh\necho here now\n")

    assert hand.result(line).output == "here now"


def test_a_program_that_moved_within_path_is_found_again(hire, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    hand = hire(env={"PATH": f"{one}:{two}:/usr/bin:/bin"})
    script(one, "#!/bin/sh\necho one\n", "check_x")
    assert hand.result("check_x a").output == "one"
    script(two, "#!/bin/sh\necho two\n", "check_x")
    (one / "check_x").unlink()

    assert hand.result("check_x a").output == "two"


def test_a_script_without_a_first_line_is_run_by_the_shell(hand, tmp_path):
    path = script(tmp_path, "echo plain $1\n")

    assert hand.result(f"{path} 'a b'").output == "plain a b"
    assert hand.result(f"{path} 'a b'").output == "plain a b"


# ------------------------------------------------------------------ surroundings


def test_the_order_adds_to_a_small_environment(hire):
    hand = hire(
        env={
            "LC_ALL": "C",
            "SECRET_OF_THE_DAEMON": "x",
            "PATH": "/usr/bin:/bin",
            "https_proxy": "p",
        }
    )
    names = hand.result("/usr/bin/env", env={"NAGIOS_HOSTNAME": "wéb 1"}).output.split("\n")

    assert "NAGIOS_HOSTNAME=wéb 1" in names
    assert {"PATH=/usr/bin:/bin", "LC_ALL=C", "https_proxy=p"} <= set(names)
    assert not [name for name in names if "SECRET" in name]
    assert "NAGIOS_HOSTNAME" not in hand.result("/usr/bin/env").output


def test_a_command_can_tell_which_order_it_carries_out(hire):
    hand = hire()
    hand.send(*(order("/usr/bin/printenv SHINKEN_ORDER", seq=n, epoch=9) for n in (7, 8)))

    assert [result.output for result in hand.results(2)] == ["1.9.7", "1.9.8"]


def test_a_bad_environment_is_reported_as_not_started(hand):
    assert hand.result("/bin/true", env={"A=B": "x"}).code == CODE_NOT_STARTED


def test_path_and_language_have_defaults():
    assert plugin_environment({}).keys() == {b"PATH", b"LC_ALL", b"SHINKEN_SESSION"}
    assert plugin_environment({"LC_ALL": "de_DE.UTF-8"})[b"LC_ALL"] == b"de_DE.UTF-8"


def test_plugins_get_no_descriptor_of_the_worker_and_an_empty_input(hand):
    listing = "import os; print(sorted(os.listdir('/proc/self/fd'))[:-1], os.read(0, 9))"
    result = hand.result(f'{sys.executable} -I -S -c "{listing}"')

    assert result.output == "['0', '1', '2'] b''"


def test_plugins_die_of_a_broken_pipe_as_anywhere_else(hand):
    status = hand.result("/bin/grep -E 'Sig(Ign|Blk)' /proc/self/status").output

    standard = (1 << 31) - 1  # signals 32 and 33 are the C library's own
    assert [int(line.split()[1], 16) & standard for line in status.split("\n")] == [0, 0]


# ------------------------------------------------------------------ time-outs and groups


def test_a_plugin_past_its_time_out_is_killed(hand, tmp_path):
    pid_file = tmp_path / "pid"
    result = hand.result(f"echo $$ > {pid_file}; echo partly; sleep 60", timeout_s=0.3)

    assert result.code == CODE_TIMEOUT
    assert result.output == "timed out after 0.3 s\npartly"
    assert 0.3 <= result.took_s < 5
    assert not alive(number_in(pid_file))


def test_a_time_out_shorter_than_the_watch_is_kept(hand):
    result = hand.result("/bin/sleep 60", timeout_s=0.02)

    assert (result.code, result.output) == (CODE_TIMEOUT, "timed out after 0.02 s")
    assert result.took_s < 1


def test_ignoring_sigterm_does_not_help(hand, tmp_path):
    pid_file = tmp_path / "pid"
    result = hand.result(
        f"trap '' TERM INT HUP; echo $$ > {pid_file}; while :; do sleep 1; done", timeout_s=0.3
    )

    assert result.code == CODE_TIMEOUT
    assert not alive(number_in(pid_file))


def test_a_stopped_plugin_is_killed_too(hand):
    assert hand.result("kill -STOP $$", timeout_s=0.3).code == CODE_TIMEOUT


def test_the_time_out_kills_everything_the_plugin_started(hand, tmp_path):
    tree = f"(sleep 60 & (sleep 60 & echo $! > {tmp_path}/deep; wait) & echo $! > {tmp_path}/child; wait)"
    result = hand.result(f"for i in 1 2 3; do {tree} & done; wait", timeout_s=0.5)

    assert result.code == CODE_TIMEOUT
    until(lambda: not session_members(hand.process.pid), "something of the group survived")
    assert not alive(number_in(tmp_path / "deep"))
    assert not alive(number_in(tmp_path / "child"))


def test_a_breeding_plugin_is_gone_after_its_time_out(hand, tmp_path):
    """A bounded fork bomb: each generation makes two, and none ends by itself."""
    bomb = script(
        tmp_path,
        f'#!/bin/sh\n[ "$1" -gt 5 ] && exec sleep 60\n{tmp_path}/bomb $(($1+1)) & {tmp_path}/bomb $(($1+1)) &\nwait\n',
        "bomb",
    )
    result = hand.result(f"{bomb} 0", timeout_s=1.0)

    assert result.code == CODE_TIMEOUT
    until(lambda: not session_members(hand.process.pid), "some of the brood survived")
    assert hand.result("/bin/echo next").output == "next"


FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.mark.skipif(
    os.geteuid() != 0 or not (FREEZER / "tasks").exists(), reason="needs root and a freezer cgroup"
)
def test_a_plugin_that_not_even_sigkill_ends_is_answered_for(hire):
    """As one that waits for a dead file server: it keeps no slot, and nobody waits for it."""
    hand = hire(in_flight=1)
    cell = FREEZER / f"test-worker-{os.getpid()}"
    cell.mkdir()
    try:
        frozen = f"echo in; echo $$ > {cell}/cgroup.procs; echo FROZEN > {cell}/freezer.state; :"
        result = hand.result(frozen, timeout_s=0.3)
        assert (result.code, result.output) == (CODE_TIMEOUT, "timed out after 0.3 s\nin")
        assert hand.result("/bin/echo next").output == "next"
        assert len(session_members(hand.process.pid)) == 1
    finally:
        (cell / "freezer.state").write_text("THAWED")
        until(lambda: not (cell / "cgroup.procs").read_text(), "it lives on")
        cell.rmdir()
    assert hand.result("/bin/echo and on").output == "and on"


@pytest.mark.parametrize("said", ["done", ""])
def test_a_grandchild_that_keeps_the_pipes_does_not_hold_the_result(hand, tmp_path, said):
    result = hand.result(f"printf '{said}'; sleep 60 & echo $! > {tmp_path}/pid")

    assert (result.code, result.output) == (0, said)
    assert result.took_s < 5
    left_behind = number_in(tmp_path / "pid")
    assert alive(left_behind)  # the command ended in time: that is its own affair
    hand.end()
    assert not alive(left_behind)  # but nothing outlives the worker


def test_a_grandchild_that_keeps_writing_does_not_hold_the_result(hand):
    result = hand.result("(sleep 0.3; exec yes) & sleep 0.4; exit 2")

    assert result.code == 2
    assert hand.result("/bin/echo next").output == "next"


# ------------------------------------------------------------------ many


def test_what_cannot_be_started_for_want_of_descriptors_is_started_later(hire):
    """F21 lost notifications: a moment without descriptors or processes is no reason to call a command failed."""
    hand = hire()
    assert hand.result("/bin/echo before").output == "before"
    limit = resource.prlimit(hand.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(hand.process.pid, resource.RLIMIT_NOFILE, (4, limit[1]))
    hand.send(order("/bin/echo after", seq=5))
    hand.socket.settimeout(0.7)
    with pytest.raises(TimeoutError):
        hand.next_frame()
    hand.socket.settimeout(PATIENCE_S)
    resource.prlimit(hand.process.pid, resource.RLIMIT_NOFILE, limit)

    assert hand.results(1)[0].output == "after"


def test_the_caps_on_concurrency_are_held(hire):
    hand = hire(in_flight=5, fresh=2)
    seen = script_peak(hand, runs=15, sleep="0.3")

    assert 3 <= seen <= 5  # more than `fresh`: those that wait make room; never more than in_flight


def test_short_commands_run_no_more_at_once_than_fresh(hire):
    hand = hire(in_flight=50, fresh=2, fresh_s=30.0)

    assert script_peak(hand, runs=20, sleep="0.01") <= 2


def script_peak(hand: Hand, runs: int, sleep: str) -> int:
    """Run `sleep` often; the most that ran at the same time, by the results' own times."""
    hand.send(*(order(f"/bin/sleep {sleep}", seq) for seq in range(runs)))
    results = hand.results(runs)
    assert [result.code for result in results] == [0] * runs
    edges = [(r.started_wall, 1) for r in results] + [
        (r.started_wall + r.took_s, -1) for r in results
    ]
    now = peak = 0
    for _, step in sorted(edges):
        now += step
        peak = max(peak, now)
    return peak


def test_results_come_grouped_by_shard(hand):
    hand.send(*(order("/bin/true", seq, shard=seq % 3) for seq in range(30)))

    assert len(hand.results(30)) == 30  # `results` checks each frame's shard


def test_a_purge_forgets_what_was_not_started(hire):
    hand = hire(in_flight=2, fresh=2)
    hand.send(*(order("/bin/sleep 0.5", seq, shard=1) for seq in range(2)))
    hand.send(*(order("/bin/true", seq, shard=1 + seq % 2) for seq in range(2, 12)))
    hand.frame(PURGE, msgspec.msgpack.encode(2))
    assert hand.next_frame()[:3] == (PURGED, 5, 2)
    hand.frame(PURGE, msgspec.msgpack.encode(None))
    assert hand.next_frame()[:2] == (PURGED, 5)

    assert [result.seq for result in hand.results(2)] == [0, 1]


def in_socket(hand: Hand) -> int:
    """Bytes that wait to be read."""
    return int.from_bytes(fcntl.ioctl(hand.socket, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_parent_that_reads_late_gets_everything(hire):
    hand = hire(fresh=4)
    hand.send(*(order("head -c 60000 /dev/zero | tr '\\0' y", seq) for seq in range(40)))
    until(lambda: in_socket(hand) > 60_000, "nothing came")  # of 2.4 MB, more than it can hold

    assert [len(result.output) for result in hand.results(40)] == [60000] * 40


def test_the_worker_ends_with_its_parent_and_takes_its_commands_along(hire, tmp_path):
    hand = hire()
    hand.send(
        *(order(f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/{n}; wait", n) for n in range(4))
    )
    pids = [number_in(tmp_path / str(n)) for n in range(4)]
    hand.end()

    assert hand.process.returncode == 0
    assert [pid for pid in pids if alive(pid)] == []
    assert session_members(hand.process.pid) == []


def test_no_descriptor_or_zombie_is_left_after_many_runs(hand):
    hand.send(order("/bin/true"))
    hand.results(1)
    fds = set(os.listdir(f"/proc/{hand.process.pid}/fd"))
    lines = ["/bin/true", "sleep 0.15", "/no/such", "sleep 9", "echo a; sleep 3 & exit"]
    hand.send(*(order(lines[seq % 5], seq, timeout_s=0.4) for seq in range(50)))
    hand.results(50)

    assert set(os.listdir(f"/proc/{hand.process.pid}/fd")) == fds
    children = Path(f"/proc/{hand.process.pid}/task/{hand.process.pid}/children").read_text()
    assert children == ""


def test_the_worker_obeys_nobody_but_its_socket(hand):
    """SIGPIPE stays ignored by Python: a parent that vanishes is an end of file, not a crash."""
    hand.send(*(order("/bin/sleep 0.2", seq) for seq in range(8)))
    hand.socket.shutdown(socket.SHUT_RD)
    hand.socket.close()

    assert hand.process.wait(PATIENCE_S) in (0, -signal.SIGPIPE)


def test_a_worker_loads_nothing_of_ours_but_the_nouns_it_needs():
    site, root = Path(msgspec.__file__).parents[1], Path(daemons.__file__).parents[1]
    code = f"import sys; sys.path += [{str(site)!r}, {str(root)!r}]; import daemons.net.worker; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, check=True, text=True
    )
    modules = set(run.stdout.split())

    assert {name for name in modules if name.startswith("daemons")} == {
        "daemons", "daemons.model", "daemons.model.check", "daemons.net", "daemons.net.worker"
    }  # fmt: skip
    assert not modules & {"subprocess", "threading", "asyncio", "logging", "Pyro5", "psutil"}
