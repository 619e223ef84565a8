"""The receiver's spool and the reactionner's journal, on real files."""

import pytest

from daemons.modules.journal import ActionJournal
from daemons.modules.spool import CommandSpool
from daemons.wire.messages import ClaimedAction, Done, Failed, Journal, Spool, Submitted


def item(id: str) -> Submitted:
    return Submitted(id, f"[1] CMD;{id}\tnon-ascii é", 1.5)


def test_lines_come_back_in_order_after_a_restart(tmp_path):
    spool = CommandSpool(tmp_path / "spool")
    assert spool.apply(Spool((item("b"), item("a")))) == Done()
    spool.apply(Spool((item("c"),)))

    # not closed: the process is gone
    assert CommandSpool(tmp_path / "spool").load() == (item("b"), item("a"), item("c"))


def test_forgotten_lines_are_gone_and_repeated_ones_kept_once(tmp_path):
    spool = CommandSpool(tmp_path / "spool")
    spool.apply(Spool((item("a"), item("b"))))
    spool.apply(Spool((item("b"),), ("a", "never there")))

    assert spool.load() == (item("b"),)


def test_a_spool_at_its_limit_refuses_and_changes_nothing(tmp_path):
    spool = CommandSpool(tmp_path / "spool", lines_max=2)
    spool.apply(Spool((item("a"), item("b"))))

    assert isinstance(spool.apply(Spool((item("c"),))), Failed)
    assert spool.load() == (item("a"), item("b"))
    assert spool.apply(Spool((item("c"),), ("a",))) == Done()


def test_a_damaged_file_is_set_aside(tmp_path):
    path = tmp_path / "spool"
    path.write_bytes(b"no database at all" * 100)
    spool = CommandSpool(path)

    assert spool.load() == ()
    assert spool.apply(Spool((item("a"),))) == Done()
    assert (tmp_path / "spool.damaged-1").read_bytes().startswith(b"no database")


def test_a_place_that_cannot_be_written_is_an_error_of_the_world(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError):
        CommandSpool(tmp_path / "file" / "spool")


def test_a_closed_spool_answers_that_it_failed(tmp_path):
    spool = CommandSpool(tmp_path / "spool")
    spool.close()

    assert isinstance(spool.apply(Spool((item("a"),))), Failed)


def test_the_journal_keeps_the_last_entry_of_each_action_by_shard(tmp_path):
    journal = ActionJournal(tmp_path / "journal")
    epoch = (3 << 48) + 256
    journal.apply(
        Journal(1, (ClaimedAction("a", "claimed", epoch), ClaimedAction("b", "claimed", 5)))
    )
    journal.apply(Journal(1, (ClaimedAction("a", "done", epoch, 2, True),)))
    journal.apply(Journal(2, (ClaimedAction("c", "claimed", 7),), ("b",)))

    assert ActionJournal(tmp_path / "journal").load() == {
        1: (ClaimedAction("a", "done", epoch, 2, True),),
        2: (ClaimedAction("c", "claimed", 7),),
    }
