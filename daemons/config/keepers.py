"""`define keeper`: a server that has no daemons, only a vote.

The one thing to know: every server with a daemon has a keeper anyway; only one whose address no daemon has
needs a definition. It is ours, no other system of the family has it.
"""

from collections.abc import Sequence

from msgspec import Struct

from daemons.config.complain import Complaints
from daemons.config.lexer import Block
from daemons.config.values import yes
from daemons.model.cluster import ServerDef, server_index


class VoterOnly(Struct, frozen=True):
    """One definition."""

    name: str
    address: str
    where: str


def voters_only(blocks: Sequence[Block], complaints: Complaints) -> tuple[VoterOnly, ...]:
    """Return the keepers that the files define; each must have an address and `voter_only 1`."""
    found = []
    for block in blocks:
        name, address = block.attrs.get("keeper_name", ""), block.attrs.get("address", "")
        if not address:
            complaints.error(
                f"keeper {name or '(no name)'} has no address", block.where, "write the address of its machine"
            )
        elif not yes(block.attrs.get("voter_only", "")):
            complaints.error(
                f"keeper {name or address} does not say what it is for",
                block.where,
                "write 'voter_only 1'; a server with daemons needs no definition of its keeper",
            )
        else:
            found.append(VoterOnly(name or address, address, block.where))
    return tuple(found)


def with_voters(
    servers: Sequence[ServerDef], voters: Sequence[VoterOnly], complaints: Complaints
) -> tuple[ServerDef, ...]:
    """Return `servers` and those that only vote, by address."""
    by_address, names = {s.address: s for s in servers}, {s.name: s.address for s in servers}
    for voter in voters:
        if other := by_address.get(voter.address):
            what = "is defined twice" if other.voter_only else "has daemons"
            complaints.error(
                f"keeper {voter.name} is to vote only, but the server at {voter.address} {what}",
                voter.where,
                "remove this definition",
            )
        elif names.setdefault(voter.name, voter.address) != voter.address:
            complaints.error(
                f"keeper {voter.name} is called like the server at {names[voter.name]}",
                voter.where,
                "give it a name of its own",
            )
        else:
            by_address[voter.address] = ServerDef(
                voter.name, voter.address, server_index(voter.address), voter_only=True
            )
    return tuple(by_address[address] for address in sorted(by_address))
