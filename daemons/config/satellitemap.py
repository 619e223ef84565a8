"""`satellitemap`: where one daemon finds others, when an address translator is between them.

The one thing to know: it holds for the daemon whose definition has it and for nobody else. Nothing is
imported here, because every daemon and command needs it to begin.
"""


def satellitemap_of(value: str) -> tuple[dict[str, tuple[str, int]], tuple[str, ...]]:
    """Return (address and port by daemon, entries that cannot be read) of `name=address[:port],...`.

    Port 0 = that of the daemon's definition. An IPv6 address with a port stands in brackets.
    """
    found: dict[str, tuple[str, int]] = {}
    bad: list[str] = []
    for entry in filter(None, (part.strip() for part in value.split(","))):
        name, _, address = (part.strip() for part in entry.partition("="))
        host, colon, port = address.rpartition(":")
        if not colon or (host.count(":") and not host.startswith("[")):
            host, port = address, "0"
        host = host.removeprefix("[").removesuffix("]")
        if not name or not host or not port.isdecimal() or int(port) > 65535:
            bad.append(entry)
        else:
            found[name] = (host, int(port))
    return found, tuple(bad)
