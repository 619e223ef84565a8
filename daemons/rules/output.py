"""What a plugin printed, taken apart: first line, further lines, performance data.

Monitoring Plugins guidelines and Nagios Core docs, "Nagios Plugin API":

    first line | performance data
    long text
    long text | more performance data
    more performance data
"""

from msgspec import Struct


class Output(Struct, frozen=True, gc=False):
    """The three parts of a plugin's output."""

    first: str
    long: str  # lines separated by "\n"
    perfdata: str  # blocks separated by one space


def split(output: str, max_chars: int = 8192) -> Output:
    """Return the parts of `output`, of which only the first `max_chars` characters count (0 = all).

    The first "|" of the first line starts performance data; in the lines after it the first "|" starts
    performance data that goes on to the end. Each part is stripped of surrounding blanks.
    """
    if max_chars > 0 and len(output) > max_chars:
        output = output[:max_chars]
    if "\n" not in output and "\r" not in output:
        if "|" not in output:
            return Output(output.strip(), "", "")
        first, _, perfdata = output.partition("|")
        return Output(first.strip(), "", perfdata.strip())
    head, _, tail = output.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n").partition("\n")
    first, _, perfdata = head.partition("|")
    long, _, more = tail.partition("|")
    blocks = [block for block in (perfdata.strip(), *map(str.strip, more.split("\n"))) if block]
    return Output(first.strip(), long.strip("\n").rstrip(), " ".join(blocks))


def told(first: str) -> str:
    """Return the first line as log lines and macros carry it: ";" separates fields there, so it is ":"."""
    return first.replace(";", ":") if ";" in first else first
