"""The terms of a lease: how long it lasts, how often it is renewed, what two servers do when parted."""

from typing import Literal

from msgspec import Struct

from daemons.model.clock import Mono

SplitPolicy = Literal["takeover", "hold"]


class Terms(Struct, frozen=True, kw_only=True):
    """What all keepers of a cluster must agree on. Durations in seconds."""

    lease_s: float = 2.5  # how long a voter's vote binds it
    beat_s: float = 0.4  # between two rounds of a keeper
    margin_s: float = 0.3  # the holder stops this much earlier
    drift: float = 0.01  # by which a server's clock may run fast or slow
    rpc_timeout_s: float = 0.6
    split_policy: SplitPolicy = (
        "takeover"  # two voters only: what a change needs when they are parted
    )
    split_delay_s: float = 2.0  # takeover: waited beyond lease_s without contact

    @property
    def progress_s(self) -> float:
        """Return how long ago a role may have made its last progress and still be renewed."""
        return self.lease_s / 4

    @property
    def text(self) -> str:
        """Return the terms in one line: every keeper of a cluster must say the same."""
        numbers = (self.lease_s, self.beat_s, self.margin_s, self.drift, self.rpc_timeout_s, self.split_delay_s)
        return " ".join((*(f"{number:g}" for number in numbers), self.split_policy))

    def deadline(self, sent: Mono) -> Mono:
        """Return when a lease ends whose majority answered a round sent at `sent`, both on one clock.

        Counted from the sending: no voter can have started to count earlier than that. Twice the
        drift, because the holder's clock may run slow and the voter's fast.
        """
        return Mono(sent + self.lease_s * (1 - 2 * self.drift) - self.margin_s)


def check_terms(terms: Terms) -> list[str]:
    """Return what is wrong with `terms`, one sentence each; empty when a lease can live by them."""
    lease = terms.lease_s
    wrong = []
    if lease <= 0 or terms.beat_s <= 0 or terms.rpc_timeout_s <= 0:
        wrong.append("lease, lease_beat and lease_timeout must be more than 0")
    if terms.beat_s > lease / 5:
        wrong.append(f"lease_beat={terms.beat_s:g} s is more than a fifth of lease={lease:g} s")
    if terms.rpc_timeout_s > lease / 4:
        wrong.append(
            f"lease_timeout={terms.rpc_timeout_s:g} s is more than a quarter of lease={lease:g} s"
        )
    if not 0 <= terms.drift <= 0.05:
        wrong.append(f"clock_drift={terms.drift:g} is not between 0 and 0.05")
    if terms.margin_s < 0 or terms.margin_s > lease / 4:
        wrong.append(
            f"lease_margin={terms.margin_s:g} s is not between 0 and a quarter of lease={lease:g} s"
        )
    if terms.split_delay_s < 0:
        wrong.append(f"split_delay={terms.split_delay_s:g} s is negative")
    return wrong
