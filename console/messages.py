"""Messages inside the console, one class each."""

from textual.message import Message

from console.facts import Snapshot


class SnapshotCame(Message):
    """The feed has a newer view of the cluster."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Carry it to a screen."""
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """A newer one stands for all that still wait: a slow terminal never falls behind."""
        return isinstance(message, SnapshotCame)
