"""What keys do and what the signs mean."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

TEXT = """\
[b]Keys[/b]                                             [dim]? or esc  close this[/]
  arrows  move; the daemon under the cursor is told below the matrix
  tab     next panel; the mouse works as well
  r       ask all keepers now (they are asked each second anyway)
  p       show only what needs a look, or all again
  t       next theme
  ctrl+p  palette of commands
  q       quit

[b]Signs[/b]
  ● active    alive, and does the work of its role now
  ○ standby   alive, ready to take over
  ◐ suspect   no sign of life for 1 to 3 seconds
  ✖ dead      ended, hangs for 3 s, or its server is silent to everybody
  ? unknown   its keeper does not answer us, but may live
  age         since the last sign of life: what is shown is that old
  ep          epoch: grows with each take-over; older ones are refused

[b]Problems[/b]
  ✖ critical  work is not done, or state is in danger
  ▲ warning   the next fault would hurt
  · advice    so it was set up"""


class Help(ModalScreen[None]):
    """One page over the screen below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", key_display="esc"),
    ]

    def compose(self) -> ComposeResult:
        """The page, scrolling where the terminal is small."""
        with VerticalScroll(id="help") as page:
            page.border_title = "help"
            yield Static(TEXT)
