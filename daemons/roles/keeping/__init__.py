"""The parts of a keeper beside its board: documents, the log of leases, the isolation test."""
