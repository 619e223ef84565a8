"""The front door: paths of configuration files in, everything they say out, or complaints.

The one thing to know: `load` never raises for what operators write and never stops at the first
mistake. Whether a configuration may be used is `Loaded.good`.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from daemons.config.bonds import bonds_of, complain_of_realms
from daemons.config.complain import Complaint, Complaints
from daemons.config.daemondefs import Definitions, cluster_of
from daemons.config.examine import examine
from daemons.config.keepers import voters_only
from daemons.config.legacy import complain_of_commands, legacy_modules
from daemons.config.lexer import Block, Lexed, Lexer, Setting, Source
from daemons.config.link import Objects, link
from daemons.config.lint import lint
from daemons.config.modules import Modules
from daemons.config.perfdata import with_perfdata
from daemons.config.realms import Realms, realms_of
from daemons.config.ruled import Places, with_rules
from daemons.config.schema import ILLEGAL_NAME_CHARS
from daemons.config.settings import globals_of, in_zone, settings_of
from daemons.config.shards import Cut, cut
from daemons.config.tags import complain_of_tags
from daemons.config.templates import is_registered, templates_of
from daemons.model.cluster import ROLES, Cluster

# (what to include: "main" | "cfg_file" | "cfg_dir" | "resource_file", the path as written, the path
# of the file that says so or "") -> the files, each or all of them replaced by why there is none.
Read = Callable[[str, str, str], "Sequence[Source | Complaint] | Complaint"]
INCLUDING = ("cfg_file", "cfg_dir", "resource_file")


class Loaded(Struct, kw_only=True):
    """What a configuration says. `cluster` and `objects` are there even when it is not good."""

    cluster: Cluster | None
    objects: Objects
    complaints: tuple[Complaint, ...]
    counts: dict[str, int]  # of registered definitions, by type
    files: tuple[Source, ...]  # everything read, in order
    _shards: Cut | None = None

    @property
    def good(self) -> bool:
        """Whether it may be used: there is no error."""
        return not any(c.severity == "error" for c in self.complaints)

    @property
    def shards(self) -> Cut:
        """The shards with their encoded bodies, cut when first asked for; () without a cluster."""
        if self._shards is None:
            self._shards = cut(self.objects, self.cluster) if self.cluster else ()
        return self._shards


def load(
    paths: Sequence[str], read: Read, installed: Collection[str] = (), time_zone: str = ""
) -> Loaded:
    """Return what the files at `paths` (the `-c` arguments, in order) say.

    `installed` are module types that this system does not bring and this machine has; `time_zone` is in force
    where the main file has no use_timezone.
    """
    complaints = Complaints()
    lexed, files = _lex(paths, read, complaints)
    for kind, blocks in lexed.blocks.items():
        examine(kind, blocks, complaints)
    settings = settings_of(lexed.settings, complaints)
    realms = realms_of(_named(lexed, "realm", complaints), complaints)
    cluster = _cluster(lexed, realms, settings, installed, complaints)
    illegal = settings.get("illegal_object_name_chars", ILLEGAL_NAME_CHARS)
    tags = {tag for d in cluster.daemons if d.role == "poller" for tag in d.tags if tag}
    globals = in_zone(globals_of(settings), time_zone, complaints)
    objects = link(lexed, globals, realms, illegal, tags, complaints)
    complain_of_commands(lexed.settings, {c.name for c in objects.commands}, complaints)
    lines = {command.name: command.line for command in objects.commands}
    cluster, globals = with_perfdata(cluster, objects.globals, lines, complaints)
    objects = replace(objects, globals=globals)
    objects = with_rules(objects, lexed, complaints)
    where = partial(_where_of_host, lexed)
    of_rule = Places(lexed, objects.rules.commands).where
    complain_of_realms(objects, bonds_of(objects), where, of_rule, complaints)
    lint(cluster, realms, set(objects.realms), complaints)
    complain_of_tags(objects, cluster, realms, complaints)
    return Loaded(
        cluster=cluster,
        objects=objects,
        complaints=_in_order(complaints, files),
        counts=_counts(lexed, objects),
        files=tuple(files),
    )


def _where_of_host(lexed: Lexed, host: str, attr: str) -> str:
    """Return "file:line" of an attribute of a host's definition, "" when there is none."""
    blocks = (b for b in lexed.blocks.get("host", []) if b.attrs.get("host_name") == host)
    return next((block.where_of(attr) for block in blocks), "")


def _lex(paths: Sequence[str], read: Read, complaints: Complaints) -> tuple[Lexed, list[Source]]:
    lexer = Lexer(complaints)
    files: dict[str, Source] = {}

    def take(kind: str, path: str, from_path: str, where: str) -> list[Setting]:
        found = read(kind, path, from_path)
        said: list[Setting] = []
        for source in [found] if isinstance(found, Complaint) else found:
            if isinstance(source, Complaint):
                complaints.add(Complaint(source.severity, source.text, where, source.fix))
            elif source.path not in files:  # a file named twice is read once
                files[source.path] = source
                said.extend(lexer.read(source))
        return said

    for path in paths:
        for setting in take("main", path, "", ""):
            if setting.key in INCLUDING:
                inner = take(setting.key, setting.value, setting.source.path, setting.where)
                for ignored in inner:
                    if ignored.key in INCLUDING:
                        complaints.warning(
                            f"{ignored.key} in an included file is not followed",
                            ignored.where,
                            "name it in the main file",
                        )
    return lexer.out, list(files.values())


def _cluster(
    lexed: Lexed,
    realms: Realms,
    settings: dict[str, str],
    installed: Collection[str],
    complaints: Complaints,
) -> Cluster:
    modules = Modules(_named(lexed, "module", complaints), complaints, installed)
    definitions: Definitions = {}
    for role in ROLES:
        blocks = lexed.blocks.get(role, [])
        templates = templates_of(role, blocks, complaints)
        definitions[role] = [
            (block, templates.merged(block.attrs, templates.prototype(block)))
            for block in blocks
            if is_registered(block)
        ]
    voters = voters_only(lexed.blocks.get("keeper", []), complaints)
    legacy = legacy_modules(lexed.settings, modules, complaints)
    return cluster_of(
        definitions, modules, realms, settings, lexed.macros, complaints, voters, legacy
    )


def _named(
    lexed: Lexed, kind: str, complaints: Complaints
) -> dict[str, tuple[Block, dict[str, str]]]:
    blocks = lexed.blocks.get(kind, [])
    templates = templates_of(kind, blocks, complaints)
    found: dict[str, tuple[Block, dict[str, str]]] = {}
    for block in blocks:
        name = block.attrs.get(f"{kind}_name", "")
        if not is_registered(block):
            continue
        if not name:
            complaints.error(f"a {kind} without {kind}_name", block.where)
        elif name in found:
            complaints.error(
                f"{kind} {name} is defined twice, first at {found[name][0].where}", block.where
            )
        else:
            found[name] = (block, templates.merged(block.attrs, templates.prototype(block)))
    return dict(sorted(found.items()))


def _in_order(complaints: Complaints, files: list[Source]) -> tuple[Complaint, ...]:
    """Return the complaints by file, as read, and line; those of no line last."""
    place = {source.path: n for n, source in enumerate(files)}

    def key(complaint: Complaint) -> tuple[int, int]:
        path, _, line = complaint.where.rpartition(":")
        return place.get(path, len(place)), int(line) if line.isdigit() else 0

    return tuple(sorted(complaints.all(), key=key))


def _counts(lexed: Lexed, objects: Objects) -> dict[str, int]:
    counts = {
        kind: sum(1 for block in blocks if "register" not in block.attrs or is_registered(block))
        for kind, blocks in sorted(lexed.blocks.items())
    }
    return counts | {"host": len(objects.hosts), "service": len(objects.services)}
