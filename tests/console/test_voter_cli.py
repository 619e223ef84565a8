"""`shinken voter reset`: it says what is unsafe, asks for the name, and only then is anything changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import Struct, json

from console.cli import main
from daemons.cli.reach import Keys
from daemons.ha.terms import Terms
from daemons.model.clock import Mono, Now, Wall
from daemons.model.cluster import object_id
from daemons.net.home import Bundle, Home
from daemons.net.runner import Runner
from daemons.net.secret import make_operator_key
from daemons.net.transport import serve
from daemons.roles.keeper import Keeper
from tests.console.keepers import HOSTS, LOG, at_loopback, free_port


class Bed(Struct):
    """A keeper of server2 that lost its votes, behind a real door."""

    workdir: Path
    keeper: Keeper

    def reset(self, *words: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, ["voter", "reset", "--workdir", str(self.workdir), *words], input=typed)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    cluster = at_loopback(free_port(), free_port())
    server = cluster.servers[1]
    make_operator_key(tmp_path / "key")
    (tmp_path / "home").mkdir()
    bundle = Bundle(cluster=cluster, server=server, files=(), operator_key_file=str(tmp_path / "key"))
    Home(tmp_path / "home").write(bundle)
    keeper = Keeper(
        instance="k", pid=1, cluster=cluster, server=server, terms=Terms(), durable=b"", is_new=False, jitter=lambda: 0.5
    )  # fmt: skip
    runner = Runner(keeper, lambda name: None, {}, read_clock=lambda: Now(Mono(9.0), Wall(9.0)))
    door = serve(
        f"{HOSTS}.2", int(cluster.settings["keeper_port"]), object_id(cluster.name, "keeper", server.name), runner.ask, dict,
        secret=None, operator_key=Keys(bundle).operator, log=LOG,
    )  # fmt: skip
    yield Bed(tmp_path / "home", keeper)
    door.close()


def test_it_says_what_is_unsafe_and_wants_the_name_typed(bed: Bed) -> None:
    result = bed.reset(typed="yes\n")
    assert result.exit_code == 2 and "UNSAFE" in result.output and "server1, server3" in result.output
    assert bed.keeper.promises.state == "lost"

    result = bed.reset(typed="server2\n")
    assert result.exit_code == 0 and "votes again" in result.output
    assert bed.keeper.promises.state == "kept"


def test_for_scripts_it_asks_nothing_and_answers_json(bed: Bed) -> None:
    result = bed.reset("--yes", "--json", "--server", "server2")
    told = json.decode(result.stdout)
    assert result.exit_code == 0
    assert (told["server"], told["done"], told["waits_for"]) == ("server2", True, ["server1", "server3"])


def test_again_there_is_nothing_to_reset_and_nothing_is_asked(bed: Bed) -> None:
    bed.reset("--yes")
    result = bed.reset()
    assert result.exit_code == 0 and "it has its votes" in result.output


def test_a_silent_keeper_is_3_and_an_unknown_server_is_2(bed: Bed) -> None:
    assert bed.reset("--server", "server3", "--yes").exit_code == 3
    result = bed.reset("--server", "server9", "--yes")
    assert result.exit_code == 2 and "there is no server server9" in result.output


def test_who_has_no_operator_key_changes_nothing(bed: Bed) -> None:
    bundle = Home(bed.workdir).read()
    Home(bed.workdir).write(Bundle(cluster=bundle.cluster, server=bundle.server, files=()))
    assert bed.reset("--yes").exit_code == 2
    assert bed.keeper.promises.state == "lost"
