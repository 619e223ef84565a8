"""What obeys external commands in one shard: one module a family, each a table of small functions."""
