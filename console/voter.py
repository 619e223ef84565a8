"""`shinken voter reset`: let a keeper vote that lost its votes and cannot get them back from the others.

Asks that one keeper, not the leader: there may be none without its vote.
"""

import getpass
import sys

import click
import msgspec

from console.words import (
    GOOD,
    NOBODY,
    NOT_GOOD,
    Wrong,
    as_json_option,
    cluster_target,
    which_cluster,
)
from daemons.wire.board import ResetVotes, VotesReset
from daemons.wire.codec import BadMessage, decode, encode

ANSWER_S = 3.0
UNSAFE = """\
keeper@{name} lost its votes: it may have promised leases that it forgot.
It waits for the votes of {waits} and goes on by itself as soon as it has heard a majority of the other voters: start them, if you can.
UNSAFE: after a reset it votes with what it knows. If a daemon still works on a server that it cannot hear, two may do the same work:
checks run twice, people are told twice, and of two states one is lost. So first power off, or stop, each server that does not answer."""


@click.group()
def voter() -> None:
    """The vote of one keeper."""


@voter.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask: you know that no server that is silent still works.")
@which_cluster
@as_json_option
def reset(files: tuple[str, ...], server: str, workdir: str, yes: bool, as_json: bool) -> None:
    """Let the keeper of this server, or of --server NAME, vote although its votes are lost.

    Needed only when a majority of the voters is gone for good: see `shinken status` for whom it waits.
    Exit code 0 also when there is nothing to reset; 1 when it could not be done; 3 when the keeper is silent.

    \b
    shinken voter reset
    shinken voter reset --server server2 --workdir /var/lib/shinken
    """
    where = cluster_target(files, server, workdir)
    servers = where.bundle.cluster.servers
    name = next((s.name for s in servers if server in (s.name, s.address)), "") if server else where.bundle.server.name
    if not name:
        raise Wrong(f"there is no server {server}; the configuration knows {', '.join(s.name for s in servers)}")

    def ask(only_ask: bool) -> VotesReset:
        from daemons.cli.reach import operator_peer
        from daemons.net.client import Refused, Unreachable

        peer = operator_peer(where.bundle, where.keys, f"keeper@{name}")
        assert peer is not None
        try:
            answer = decode(peer.ask(encode(ResetVotes(_actor(), only_ask)), ANSWER_S))
        except Unreachable as error:
            click.echo(f"shinken: keeper@{name} does not answer: {error}", err=True)
            sys.exit(NOBODY)
        except (Refused, BadMessage) as error:
            raise Wrong(str(error)) from error
        finally:
            peer.close()
        if not isinstance(answer, VotesReset):
            raise Wrong(f"keeper@{name}: {getattr(answer, 'why', type(answer).__name__)}")
        return answer

    found = ask(only_ask=True)
    if found.lost:
        if not yes:
            click.echo(UNSAFE.format(name=name, waits=", ".join(found.waits_for) or "nobody"), err=True)
            said = click.prompt(f"Type {name} to accept that", default="", show_default=False, err=True)
            if said.strip() != name:
                raise Wrong("not typed: nothing was done")
        found = ask(only_ask=False)
    _tell(name, found, as_json)
    sys.exit(GOOD if found.done or not found.lost else NOT_GOOD)


def _tell(name: str, found: VotesReset, as_json: bool) -> None:
    text = (
        f"keeper@{name} votes again; it grants nothing for one more lease" if found.done
        else f"keeper@{name}: nothing was reset: {found.why}"
    )  # fmt: skip
    if as_json:
        told = {"server": name, "done": found.done, "lost": found.lost, "waits_for": found.waits_for, "text": text}
        click.echo(msgspec.json.encode(told).decode())
    else:
        click.echo(text, err=found.lost and not found.done)


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
