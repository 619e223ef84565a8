"""The parts of a scheduler: one shard, from its configuration and its copy to its journal and its outbox."""
