"""Where two recordings of the same islands differ, but for what docs/compatibility.md says."""

import re
from collections import Counter
from collections.abc import Collection

from tests.peers.nagios import Recorded

KINDS = ("ALERT: ", "NOTIFICATION: ", "EVENT HANDLER: ")


def lines(recorded: Recorded, hosts: Collection[str]) -> Counter[str]:
    """Return the lines about `hosts`, as often as they were written."""
    return Counter(
        _plain(line)
        for line in recorded.log
        if any(kind in line for kind in KINDS) and _host(line) in hosts
    )


def _host(line: str) -> str:
    kind, _, rest = line.partition(": ")
    fields = rest.split(";")
    return fields[1] if kind.endswith("NOTIFICATION") and len(fields) > 1 else fields[0]


def _plain(line: str) -> str:
    """Leave out the author and comment that only nagios4 gives the notifications of downtimes."""
    if "NOTIFICATION: " in line and re.search(r";DOWNTIME(START|END|CANCELLED) \(", line):
        return ";".join(line.split(";")[: 6 if line.startswith("SERVICE") else 5])
    # The attempt that ends a soft problem is counted by Naemon and us, not by nagios4.
    return re.sub(r"^(HOST (?:ALERT|EVENT HANDLER): .*;UP;SOFT;)\d+;", r"\1n;", line)


def differences(theirs: Recorded, ours: Recorded, hosts: Collection[str]) -> list[str]:
    """Return what they wrote and we did not, the other way round, and what is remembered otherwise."""
    want, said = lines(theirs, hosts), lines(ours, hosts)
    out = [f"only nagios4: {line}" for line in (want - said).elements()]
    out += [f"only we: {line}" for line in (said - want).elements()]
    for number, (their_all, our_all) in enumerate(zip(theirs.states, ours.states, strict=True)):
        for key, our in our_all.items():
            if key.partition(";")[0] not in hosts:
                continue
            out += [
                f"after tick {number} {key} {what}: {value}, nagios4 {their_all[key][what]}"
                for what, value in our.items()
                if value != their_all[key][what]
            ]
    return out
