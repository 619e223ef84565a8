"""What an arbiter works from: the shards of one configuration."""

from collections.abc import Mapping

import msgspec

from daemons.model.cluster import Cluster
from daemons.model.objects import ShardDef
from daemons.wire.configuration import CompiledShards

_shards = msgspec.msgpack.Decoder(tuple[ShardDef, ...]).decode
_cluster = msgspec.msgpack.Decoder(Cluster).decode


class Compiled:
    """One configuration, compiled."""

    def __init__(
        self,
        shards: tuple[ShardDef, ...] = (),
        bodies: Mapping[str, bytes] | None = None,
        config: str = "",
        problems: tuple[str, ...] = (),
        *,
        document: bytes = b"",
        digest: str = "",
        files_hash: str = "",
        cluster: Cluster | None = None,
    ) -> None:
        """`bodies` maps a shard's version to its encoded body; `config` is the hash of it all."""
        self.shards = shards
        self.bodies = dict(bodies or {})
        self.config = config
        self.problems = problems  # of the configuration; not empty = it may not lead
        self.document = document  # it was compiled from
        self.digest = digest  # of that
        self.files_hash = files_hash
        self.cluster = cluster

    @property
    def good(self) -> bool:
        """Whether one may lead with it."""
        return not self.problems


def compiled_of(answer: CompiledShards, digest: str) -> Compiled:
    """Return what the compiler said of the document `digest`."""
    if answer.errors:
        return Compiled(
            problems=answer.errors, document=answer.document, digest=digest, files_hash=answer.files_hash
        )
    return Compiled(
        _shards(answer.shards),
        answer.bodies,
        answer.config,
        document=answer.document,
        digest=digest,
        files_hash=answer.files_hash,
        cluster=_cluster(answer.cluster),
    )
