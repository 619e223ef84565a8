"""What is sent to a store over the network goes in batches: each must pass within the store's time-out."""

from collections.abc import Collection, Iterator, Mapping

BATCH_BYTES = 1024 * 1024  # sent before answers are read
BATCH_KEYS = 100  # and no more than any store takes in one command line


def of_keys(keys: Collection[str]) -> Iterator[list[str]]:
    """Yield `keys` in lists of at most BATCH_KEYS."""
    rest = list(keys)
    for first in range(0, len(rest), BATCH_KEYS):
        yield rest[first : first + BATCH_KEYS]


def of_items(items: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Yield `items` in parts of about BATCH_BYTES; a larger item goes alone."""
    batch: dict[str, bytes] = {}
    size = 0
    for key, value in items.items():
        if batch and size + len(value) > BATCH_BYTES:
            yield batch
            batch, size = {}, 0
        batch[key] = value
        size += len(value)
    if batch:
        yield batch
