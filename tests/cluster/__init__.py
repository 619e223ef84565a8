"""The proof on real processes: servers in network namespaces, faults, ledgers, a judge.

`bed` makes the servers and breaks them, `cluster` runs shinken on them, `ledger` and `judge` say what happened,
`scenarios` are F1-F27 by name, `__main__` is `make scorecard` and `make soak`. Needs root on Linux.
"""
