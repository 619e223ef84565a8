"""Livestatus: the language of front ends, answered from a store that broks feed.

The one thing to know: everything but `module.py` is pure: bytes of a request in, bytes of the answer out, the
time is a parameter. `module.py` still serves nobody (docs/plan.md says what is missing between the two).
"""

from daemons.modules.livestatus.module import Livestatus

__all__ = ["Livestatus"]
