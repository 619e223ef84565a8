"""Ten mistakes in a generated configuration: a reader that is fast because it does not look finds none of them."""

from msgspec import Struct


class Mistake(Struct, frozen=True):
    """One mistake in an object of type `kind`: its line that begins with `line` is changed, or gets one more below it."""

    kind: str
    line: str
    old: str = ""
    new: str = ""
    below: str = ""
    says: str = "is not defined"  # what the complaint must say


MISTAKES = (
    Mistake("service", "host_name", "host-", "hots-", says="hots-"),
    Mistake("service", "use", below="check_command contued", says="contued"),
    Mistake("service", "use", below="contact_groups nobodeis", says="nobodeis"),
    Mistake("service", "use", "bench-service", "bench-servcie", says="bench-servcie"),
    Mistake("service", "use", below="check_interval 5m", says="5m"),
    Mistake("service", "use", below="chek_interval 5", says="check_interval"),
    Mistake("service", "use", below="check_period 24x8", says="24x8"),
    Mistake("host", "use", below="parents host-99999x", says="host-99999x"),
    Mistake("host", "use", below="notifications_enabled maybe", says="maybe"),
    Mistake("hostgroup", "members", "host-", "hots-", says="hots-"),
)


class Planted(Struct, frozen=True):
    """Where a mistake stands, and what the complaint about it must say."""

    line: int
    says: str


def plant(text: str) -> tuple[str, list[Planted]]:
    """Return `text` with the ten mistakes, each in an object of its own, and where they are."""
    lines = text.split("\n")
    places: dict[tuple[str, str], list[int]] = {(m.kind, m.line): [] for m in MISTAKES}
    kind = template = ""
    for number, line in enumerate(lines):
        words = line.split(None, 2)
        if words[:1] == ["define"]:
            kind, template = words[1], ""
        elif words[:1] == ["name"]:
            template = words[1]
        elif words and not template and (kind, words[0]) in places:
            places[kind, words[0]].append(number)
    found = {}
    for share, mistake in enumerate(MISTAKES, 1):
        candidates = places[mistake.kind, mistake.line]
        found[candidates[len(candidates) * share // (len(MISTAKES) + 1)]] = mistake
    out: list[str] = []
    planted = []
    for number, line in enumerate(lines):
        mistake = found.get(number)
        if mistake is None:
            out.append(line)
            continue
        out.append(line.replace(mistake.old, mistake.new, 1) if mistake.old else line)
        if mistake.below:
            out.append(f"    {mistake.below}")
        planted.append(Planted(len(out), mistake.says))
    return "\n".join(out), planted
