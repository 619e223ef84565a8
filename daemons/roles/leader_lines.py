"""Commands that the leading arbiter obeys: RELOAD_CONFIG and RESTART_PROGRAM.

The one thing to know: to read the files again twice is the same as once, so such a line is given to whoever leads
until somebody answers, one at a time, for a minute.
"""

from daemons.model.clock import Now
from daemons.roles.role import Call
from daemons.wire.configuration import Reread
from daemons.wire.messages import Done, Failed, Message, NotMine, Roster

ANSWER_S = 5.0
RETRY_S = 1.0
GIVE_UP_S = 60.0


class LeaderLines:
    """The lines of one receiver that are for the leader, by id."""

    def __init__(self) -> None:
        """There are none."""
        self._lines: dict[str, float] = {}  # when it may be sent, mono: a copy is held back
        self._flying = ""
        self._due_mono = 0.0
        self._first_mono = 0.0  # the line under way was first sent then, 0 = not yet

    def add(self, line_id: str, not_before_mono: float) -> None:
        """Have this line obeyed."""
        self._lines[line_id] = not_before_mono

    def drop(self, line_id: str) -> None:
        """Somebody else has seen to it."""
        self._lines.pop(line_id, None)

    def calls(self, roster: Roster | None, now: Now) -> list[Call]:
        """Return the next request to the leader."""
        if not self._lines or self._flying or now.mono < self._due_mono or roster is None:
            return []
        due = next((line_id for line_id, at in self._lines.items() if at <= now.mono), "")
        if not due or not roster.leader:
            return []
        self._flying = due
        self._first_mono = self._first_mono or now.mono
        return [Call(roster.leader, Reread(due), ANSWER_S, lane="leader")]

    def answered(self, answer: Message, now: Now) -> tuple[str, str]:
        """Return the id that is settled, "" = none yet, and why it was not obeyed, "" = it was."""
        line_id, self._flying = self._flying, ""
        if isinstance(answer, Done):
            why = ""
        elif now.mono - self._first_mono < GIVE_UP_S:
            self._due_mono = now.mono + RETRY_S
            return "", ""
        else:
            said = answer.why if isinstance(answer, (Failed, NotMine)) else type(answer).__name__
            why = f"no leading arbiter took it: {said}"
        self._first_mono = 0.0
        self._lines.pop(line_id, None)
        return line_id, why
