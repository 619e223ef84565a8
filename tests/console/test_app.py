"""The console driven by keys and mouse, fed by hand; and its pictures."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from console.app import THEMES, ConsoleApp
from console.facts import Snapshot
from console.messages import SnapshotCame
from console.screens.cluster import ClusterScreen
from console.screens.help import Help
from console.widgets.matrix import Matrix
from console.widgets.panels import Details, Head, Problems
from console.widgets.shards import Shards
from tests.console.fakes import changed, healthy, server1_dead, told
from tests.console.pictures import FOLDER, PICTURES, Still, app_of, taken

SIZES = [(80, 24), (120, 40)]


class Console:
    """The running console and what can be seen of it."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> ClusterScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, ClusterScreen))

    @property
    def feed(self) -> Still:
        source = self.app._source
        assert isinstance(source, Still)
        return source

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def show(self, snapshot: Snapshot) -> None:
        self.feed.tell(snapshot)
        await self.pilot.pause()

    def text(self, kind: type[Static]) -> str:
        return str(self.screen.query_one(kind).visual)

    def problems(self) -> str:
        return str(self.screen.query_one("#problems-text", Static).visual)

    def matrix(self) -> list[str]:
        table = self.screen.query_one(Matrix)
        return ["".join(str(cell) for cell in table.get_row_at(n)) for n in range(table.row_count)]


@contextlib.asynccontextmanager
async def shown(
    snapshot: Snapshot, size: tuple[int, int] = (80, 24), read_only: bool = False
) -> AsyncIterator[Console]:
    app = app_of(snapshot, read_only)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Console(app, pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_look_tells_leader_servers_roles_shards_and_problems(
    size: tuple[int, int],
) -> None:
    async with shown(told(server1_dead()), size) as on:
        head, rows, problems = on.text(Head), on.matrix(), on.problems()
        shards = on.screen.query_one(Shards)

        assert "leader arbiter-spare on server3  epoch 2" in head
        assert "✖ dead server1 14s" in head
        assert len(rows) == 7
        assert "✖ dead" in rows[1] and "● active" in rows[1]
        assert [str(cell) for cell in shards.get_row_at(0)][2] == "scheduler-spare"
        assert problems.index("server1 is silent") < problems.index("no standby follows")


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_is_cut_off_at_the_right(size: tuple[int, int]) -> None:
    async with shown(told(server1_dead()), size) as on:
        for table in (on.screen.query_one(Matrix), on.screen.query_one(Shards)):
            assert table.virtual_size.width <= size[0]
        assert on.screen.query_one(Matrix).size.height == 8  # all rows at once, and the head


async def test_a_new_snapshot_is_drawn_by_itself() -> None:
    async with shown(told(healthy())) as on:
        assert "● no problems" in on.problems()
        await on.show(told(server1_dead()))

        assert "server1 is silent" in on.problems()
        assert "leader arbiter-spare" in on.text(Head)


async def test_the_ages_of_dead_daemons_go_on_growing() -> None:
    async with shown(told(server1_dead(14.0))) as on:
        await on.show(told(server1_dead(80.0)))

        assert "1m" in on.matrix()[0]


async def test_it_survives_that_nobody_answers_and_that_all_come_back() -> None:
    async with shown(told(healthy())) as on:
        await on.show(told({}))
        assert "leader nobody" in on.text(Head)
        assert "no keeper answers" in on.problems()
        await on.show(told(healthy()))
        assert "● no problems" in on.problems()


async def test_arrows_choose_the_daemon_that_is_told_below() -> None:
    async with shown(told(healthy())) as on:
        assert "arbiter-master" in on.text(Details)
        await on.press("down", "right")
        assert "scheduler-spare" in on.text(Details)
        await on.press("left", "left", "left")
        assert "scheduler-master" in on.text(Details)


async def test_the_mouse_chooses_as_well() -> None:
    async with shown(told(healthy())) as on:
        await on.pilot.click(Matrix, offset=(60, 2))
        await on.pilot.pause()

        assert "scheduler-spare" in on.text(Details)


async def test_the_cursor_stays_on_its_daemon_when_rows_come_and_go() -> None:
    async with shown(told(changed(healthy(), "server3", "receiver-spare", beat_age_s=2.0))) as on:
        await on.press(*["down"] * 5, "right")
        assert "receiver-spare" in on.text(Details)
        await on.press("p")
        assert "receiver-spare" in on.text(Details)
        await on.press("p")
        assert "receiver-spare" in on.text(Details)


async def test_r_asks_everybody_now() -> None:
    async with shown(told(healthy())) as on:
        await on.press("r")

        assert on.feed.refreshed == 1


async def test_p_shows_only_what_needs_a_look_and_all_again() -> None:
    heard = changed(healthy(), "server3", "broker-spare", beat_age_s=2.0)
    async with shown(told(heard)) as on:
        await on.press("p")
        assert len(on.matrix()) == 1 and on.matrix()[0].startswith("broker")
        assert on.screen.query_one(Shards).row_count == 0
        assert "FAULTS ONLY" in on.text(Head)
        await on.press("p")
        assert len(on.matrix()) == 7


async def test_faults_only_of_a_healthy_cluster_says_so() -> None:
    async with shown(told(healthy())) as on:
        await on.press("p")

        assert "no daemon needs a look" in on.text(Details)


@pytest.mark.parametrize("closing", ["escape", "question_mark", "q"])
@pytest.mark.parametrize("size", SIZES)
async def test_the_question_mark_explains_and_goes_away_again(
    size: tuple[int, int], closing: str
) -> None:
    async with shown(told(healthy()), size) as on:
        await on.press("question_mark")
        assert isinstance(on.app.screen, Help)
        await on.show(told(server1_dead()))  # below, life goes on
        await on.press(closing)
        assert isinstance(on.app.screen, ClusterScreen)
        assert "server1 is silent" in on.problems()


async def test_t_changes_the_theme_and_comes_round() -> None:
    async with shown(told(server1_dead())) as on:
        seen = [on.app.theme]
        for _ in THEMES:
            await on.press("t")
            seen.append(on.app.theme)

        assert seen == [*THEMES, THEMES[0]]


async def test_tab_goes_to_the_problems_and_arrows_scroll_them() -> None:
    async with shown(told(server1_dead())) as on:
        await on.press("tab", "tab")
        problems = on.screen.query_one(Problems)
        assert problems.has_focus
        await on.press("end")
        assert problems.max_scroll_y > 0
        assert problems.scroll_target_y == problems.max_scroll_y


async def test_q_quits_and_the_feed_ends_with_it() -> None:
    async with shown(told(healthy())) as on:
        await on.press("q")

        assert on.app._exit
    assert on.feed.stopped


def test_a_snapshot_that_comes_after_the_end_is_nobodys_trouble() -> None:
    """A thread of the feed is slow to notice; by then there is no event loop any more."""
    app = app_of(told(healthy()))

    async def look() -> None:
        async with app.run_test():
            pass

    asyncio.run(look())
    with ThreadPoolExecutor(1) as thread:
        thread.submit(app._tell, told(server1_dead())).result(5)


async def test_a_screen_that_is_not_fed_says_so() -> None:
    async with shown(told(healthy())) as on:
        on.screen._came -= 20
        on.screen._watch_feed()

        assert re.search(r"NOT FED for 2\ds", on.text(Head))


async def test_who_may_change_nothing_reads_so() -> None:
    async with shown(told(healthy()), read_only=True) as on:
        assert "READ ONLY" in on.text(Head)


async def test_resizing_lays_the_columns_out_anew() -> None:
    async with shown(told(healthy()), (120, 40)) as on:
        assert "server1" in on.matrix()[0]
        await on.pilot.resize_terminal(80, 24)
        await on.pilot.pause()
        assert "server1" not in on.matrix()[0]
        assert on.screen.query_one(Matrix).virtual_size.width <= 80


async def test_no_color_takes_the_colours_away_and_leaves_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with shown(told(server1_dead())) as on:
        svg = on.app.export_screenshot()
        fills = set(re.findall(r"r\d+ \{ fill: (#[0-9a-f]{6})", svg)) - {"#c5c8c6"}  # the frame's

        assert "✖" in svg and "dead" in svg
        assert fills
        assert all(f[1:3] == f[3:5] == f[5:7] for f in fills), fills


def test_a_slow_screen_gets_the_newest_snapshot_only() -> None:
    old, new = SnapshotCame(told(healthy())), SnapshotCame(told(server1_dead()))

    assert new.can_replace(old)


@pytest.mark.parametrize("name", PICTURES)
async def test_the_picture_is_as_it_was_looked_at(name: str) -> None:
    snapshot, size, keys = PICTURES[name]
    fresh = await taken(snapshot(), size, keys)

    assert fresh == (FOLDER / f"{name}.svg").read_text(), (
        "look at the new one (python -m tests.console.pictures writes it) before you commit it"
    )
