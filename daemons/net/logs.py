"""How every process writes its own log: one line an entry, to standard error, which is its log file."""

import logging
import sys

FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s [%(daemon)s] %(message)s"
DATES = "%Y-%m-%dT%H:%M:%S"


def start_logging(daemon: str, level: str = "INFO") -> None:
    """Log to standard error in the name of `daemon` from `level` upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT, DATES, defaults={"daemon": daemon}))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("Pyro5").setLevel("WARNING")
