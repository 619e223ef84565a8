"""Configurations as text, read without any file system."""

from collections.abc import Mapping

from daemons.config.complain import Complaint
from daemons.config.lexer import Source
from daemons.config.load import Loaded, Read, load

BASE = """\
define command{
    command_name ok
    command_line /bin/true
}
define timeperiod{
    timeperiod_name always
    alias Always
    sunday 00:00-24:00
}
define contact{
    contact_name ann
    host_notification_period always
    service_notification_period always
    host_notification_commands ok
    service_notification_commands ok
    host_notification_options d,r
    service_notification_options c,r
}
"""


def reader(files: Mapping[str, str]) -> Read:
    """Return a callback that reads `files`; a path that ends in "/" is a directory of them."""

    def read(kind: str, path: str, from_path: str) -> list[Source] | Complaint:
        if kind == "cfg_dir":
            found = [Source(p, t) for p, t in sorted(files.items()) if p.startswith(path)]
            return found or Complaint("error", f"there is no directory {path}")
        if path not in files:
            return Complaint("error", f"there is no file {path}")
        return [Source(path, files[path])]

    return read


def loaded(text: str, base: str = "") -> Loaded:
    """Return what `text`, as the file t.cfg, says; `base` is another file before it."""
    files = {"t.cfg": text} | ({"base.cfg": base} if base else {})
    return load(sorted(files), reader(files))


def errors(found: Loaded) -> list[str]:
    """Return the errors as "file:line: text"."""
    return [f"{c.where}: {c.text}" for c in found.complaints if c.severity == "error"]


def warnings(found: Loaded) -> list[str]:
    """Return the warnings that stand at a line."""
    return [f"{c.where}: {c.text}" for c in found.complaints if c.severity == "warning" and c.where]


def host(name: str, *lines: str) -> str:
    """Return the definition of a host."""
    return "\n".join(["define host{", f"    host_name {name}", *(f"    {x}" for x in lines), "}\n"])


def service(description: str, *lines: str) -> str:
    """Return the definition of a service that has all it needs, but a host."""
    given = [
        f"service_description {description}",
        "check_command ok",
        "check_interval 5",
        "retry_interval 1",
        *lines,
    ]
    return "\n".join(["define service{", *(f"    {x}" for x in given), "}\n"])


def block(kind: str, *lines: str) -> str:
    """Return any definition."""
    return "\n".join([f"define {kind}{{", *(f"    {x}" for x in lines), "}\n"])
