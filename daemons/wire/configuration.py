"""The configuration on the wire: the document that the keepers hold, its compilation, a proposal to change it.

Whoever reads `ConfigDocument` needs only its head: the files themselves are packed and are opened by
nobody but the process that compiles them.
"""

from msgspec import Struct

from daemons.model.cluster import Epoch

CONFIGURATION = "configuration"  # name of the document
CONFIG_VERSION = 1  # of ConfigDocument and what is packed in it


class ConfigFile(Struct, frozen=True, array_like=True):
    """One file as it was read."""

    path: str
    text: str


class FileRead(Struct, frozen=True, array_like=True):
    """One question of the configuration reader and the files that were its answer, by index."""

    kind: str  # "main", "cfg_file", "cfg_dir", "resource_file"
    path: str  # as written
    from_path: str  # the file that says so
    files: tuple[int, ...] = ()


class FileBundle(Struct, frozen=True, array_like=True):
    """All that the reader read, so that it can be read again on another server."""

    main: tuple[str, ...]
    reads: tuple[FileRead, ...]
    files: tuple[ConfigFile, ...]


class ConfigDocument(Struct, frozen=True, array_like=True):
    """Content of the document "configuration"."""

    version: int  # CONFIG_VERSION of who made it
    files_hash: str  # of the texts in the order read, not of their paths
    by: str  # who proposed it, for people: "root@server1"
    wall: float  # when
    time_zone: str  # of the server where it was made: periods are meant in it
    packed: bytes  # zlib of a msgpack FileBundle


class Compile(Struct, frozen=True, array_like=True, tag=True):
    """arbiter -> "configuration": compile this document; b"" = the files of this server. By `CompiledShards`."""

    document: bytes = b""


class CompiledShards(Struct, frozen=True, array_like=True, tag=True):
    """"configuration" -> arbiter: what became of it. With `errors` there are no shards."""

    document: bytes  # as it was given, or made of this server's files; b"" when those cannot be read
    files_hash: str = ""
    config: str = ""  # hash of shards and daemon definitions
    shards: bytes = b""  # msgpack tuple[ShardDef, ...]
    bodies: dict[str, bytes] = {}  # encoded ShardBody by version
    cluster: bytes = b""  # msgpack Cluster
    errors: tuple[str, ...] = ()  # "file:line: error: ..."
    base: str = ""  # of this server's files: the `files_hash` they last had in common with the cluster
    time_zone: str = ""  # of this server
    took_s: float = 0.0


class FilesAgree(Struct, frozen=True, array_like=True, tag=True):
    """arbiter -> "configuration": this server's files are the committed ones; remember it. By `Done`."""

    files_hash: str


class Reread(Struct, frozen=True, array_like=True, tag=True):
    """receiver -> leading arbiter: read your server's files again (RELOAD_CONFIG). By `Done`, or `NotMine`.

    They become the next version if they were made from the committed one and are good.
    """

    by: str  # the command's id


class Propose(Struct, frozen=True, array_like=True, tag=True):
    """operator -> leading arbiter: page `page` of a ConfigDocument that shall become the next version.

    `base`: the `files_hash` that those files were made from. Answered by `Proposal`, or `NotMine`.
    """

    digest: str
    page: int
    pages: int
    data: bytes
    base: str
    force: bool = False  # on whatever base


class ProposalAsk(Struct, frozen=True, array_like=True, tag=True):
    """operator -> leading arbiter: what became of it? Answered by `Proposal`, or `NotMine`."""

    digest: str


class Proposal(Struct, frozen=True, array_like=True, tag=True):
    """leading arbiter -> operator: how far a proposed configuration has come."""

    digest: str
    state: str  # "receiving", "compiling", "committing", "rolling out", "done", "refused", "unknown"
    why: str = ""
    next_page: int = 0  # receiving: wanted next
    n: int = 0  # number of the version, once it has one
    config: str = ""
    at: tuple[str, ...] = ()  # servers that have it on disk
    behind: tuple[str, ...] = ()  # daemons that do not run it yet
    restart: tuple[str, ...] = ()  # daemons whose definition changed: they run the old one until restarted
    errors: tuple[str, ...] = ()
    epoch: Epoch = 0  # of the leader
