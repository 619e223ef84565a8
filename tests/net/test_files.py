"""Configuration files as they lie on a disk."""

import os
import socket
from pathlib import Path

import pytest

from daemons.config.complain import Complaint
from daemons.config.lexer import Source
from daemons.config.load import load
from daemons.net.files import read

ETC = Path(__file__).resolve().parents[2] / "etc"


def names(found: object) -> list[str]:
    assert isinstance(found, list)
    return [Path(source.path).name for source in found]


def test_a_directory_is_read_with_all_below_it_and_only_cfg_files(tmp_path: Path) -> None:
    for name in ("b.cfg", "a.cfg", "c.txt", "sub/d.cfg", "sub/deep/e.cfg", "z.cfg.bak"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    assert names(read("cfg_dir", str(tmp_path), "")) == ["a.cfg", "b.cfg", "d.cfg", "e.cfg"]


def test_links_are_followed_and_one_that_leads_back_up_ends(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.cfg").write_text("")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "conf" / "loop").symlink_to(tmp_path / "conf")

    assert names(read("cfg_dir", str(tmp_path / "conf"), "")) == ["x.cfg"]


def test_a_relative_path_is_relative_to_the_file_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.cfg").write_text("k=v\n")

    (found,) = read("cfg_file", "x.cfg", str(tmp_path / "a" / "main.cfg"))  # type: ignore[misc]
    assert isinstance(found, Source)
    assert found.text == "k=v\n"


@pytest.mark.parametrize("kind", ["main", "cfg_file", "resource_file", "cfg_dir"])
def test_what_is_missing_is_a_complaint(kind: str, tmp_path: Path) -> None:
    found = read(kind, str(tmp_path / "nowhere"), "")

    assert isinstance(found, Complaint) and "nowhere" in found.text


def test_a_directory_in_place_of_a_file_is_a_complaint(tmp_path: Path) -> None:
    assert isinstance(read("cfg_file", str(tmp_path), ""), Complaint)


def test_bytes_that_are_no_utf_8_are_replaced_and_a_byte_order_mark_is_dropped(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.cfg").write_bytes(b"\xef\xbb\xbfalias=b\xe4r\n")

    (found,) = read("main", str(tmp_path / "x.cfg"), "")  # type: ignore[misc]
    assert isinstance(found, Source)
    assert found.text == "alias=b�r\n"


def test_a_main_file_takes_in_the_others_each_with_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "main.cfg").write_text(
        "cfg_file=one.cfg\ncfg_dir=more\nresource_file=r.cfg\ncfg_file=more/two.cfg\n"
        "cfg_file=gone.cfg\n"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "one.cfg").write_text("define host{\nhost_name a\n}\ncfg_file=three.cfg\n")
    (tmp_path / "more" / "two.cfg").write_text("define host{\nhost_name b\ncheck_period x\n}\n")
    (tmp_path / "r.cfg").write_text("$USER1$=/plugins\n")
    found = load([str(tmp_path / "main.cfg")], read)

    assert [h.name for h in found.objects.hosts] == ["a", "b"]
    assert found.objects.macros == {"USER1": "/plugins"}
    assert [(c.where.removeprefix(f"{tmp_path}/"), c.severity) for c in found.complaints if c.where] == [
        ("main.cfg:5", "error"),  # no such file
        ("one.cfg:4", "warning"),  # included files are not followed
        ("more/two.cfg:3", "error"),  # no such time period
    ]  # fmt: skip


def test_what_cannot_be_read_in_a_directory_does_not_hide_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.cfg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "b.cfg")  # reading it would wait for a writer, forever
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "c.cfg"))
        (tmp_path / "d.cfg").write_text("k=v\n")
        (tmp_path / "mount").symlink_to(tmp_path / "not-there")
        found = read("cfg_dir", str(tmp_path), "")

    assert [c.severity + " " + c.text.replace(f"{tmp_path}/", "") for c in found if isinstance(c, Complaint)] == [
        "warning the link mount leads nowhere, nothing is read there",
        "error cannot read a.cfg: No such file or directory",
        "error cannot read b.cfg: it is no file but a device, pipe or socket",
        "error cannot read c.cfg: it is no file but a device, pipe or socket",
    ]
    assert [source.text for source in found if isinstance(source, Source)] == ["k=v\n"]


def test_a_folder_that_cannot_be_looked_into_is_a_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)  # root may look into everything

    (found,) = read("cfg_dir", str(tmp_path), "")
    assert found == Complaint("error", f"cannot read {tmp_path}/closed: Permission denied")


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.cfg").write_text("")
    (tmp_path / ".#b.cfg").symlink_to("someone@desk.1234")  # an editor's lock
    (tmp_path / "b.cfg").write_text("")

    assert names(read("cfg_dir", str(tmp_path), "")) == ["b.cfg"]


# ------------------------------------------------------------------ what we ship


def test_the_shipped_configuration_is_the_documented_set_up_and_loads() -> None:
    found = load([str(ETC / "shinken.cfg"), str(ETC / "shinken-specific.cfg")], read)

    assert found.complaints == ()
    assert found.cluster is not None
    on = {
        address: sorted(d.role for d in found.cluster.on(address) if d.spare == spare)
        for address, spare in (("server1", False), ("server2", False), ("server3", True))
    }
    six = ["arbiter", "broker", "poller", "reactionner", "receiver", "scheduler"]
    assert on == {"server1": six, "server2": ["poller"], "server3": six}
    assert len(found.cluster.daemons) == 13
    assert {d.modules for d in found.cluster.daemons if d.role == "broker"} == {
        ("simple-log", "livestatus")
    }
    assert [s.hosts for s, _ in found.shards] == [3]


@pytest.mark.parametrize("name", ["shinken-keeper.service"])
def test_the_units_restart_and_let_daemons_outlive_the_keeper(name: str) -> None:
    text = (ETC / "systemd" / name).read_text()

    assert "Restart=always" in text and "ExecStart=/" in text
    assert ("KillMode=process" in text) == (name == "shinken-keeper.service")
