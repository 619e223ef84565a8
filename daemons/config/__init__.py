"""Configuration text to objects to shards, or complaints with file:line. Pure."""
