"""Secret files: made private, refused when they are not."""

import os

import pytest

from daemons.net.secret import (
    BadSecret,
    make_operator_key,
    make_secret,
    read_operator_key,
    read_secret,
)


def test_a_secret_is_made_private_and_read_back(tmp_path):
    made = make_secret(tmp_path / "secret")

    assert len(made) == 32
    assert read_secret(tmp_path / "secret") == made
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_no_file_is_no_secret(tmp_path):
    assert read_secret(tmp_path / "none") is None
    assert read_operator_key(tmp_path / "none") is None


def test_a_secret_is_never_overwritten(tmp_path):
    made = make_secret(tmp_path / "secret")
    with pytest.raises(FileExistsError):
        make_secret(tmp_path / "secret")

    assert read_secret(tmp_path / "secret") == made
    assert os.listdir(tmp_path) == ["secret"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_that_others_can_use_is_refused_with_the_fix(tmp_path, mode):
    make_secret(tmp_path / "secret")
    (tmp_path / "secret").chmod(mode)

    with pytest.raises(BadSecret, match=f"{mode:04o}.*chmod 600 .*secret"):
        read_secret(tmp_path / "secret")


def test_the_operator_key_may_be_read_by_its_group_and_by_nobody_else(tmp_path):
    made = make_operator_key(tmp_path / "operator.key")
    assert read_operator_key(tmp_path / "operator.key") == made
    for mode in (0o644, 0o660, 0o641):
        (tmp_path / "operator.key").chmod(mode)
        with pytest.raises(BadSecret, match="chmod 640"):
            read_operator_key(tmp_path / "operator.key")


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "ab" * 31, "ab" * 5000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path, text):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(BadSecret):
        read_secret(path)


def test_a_pipe_or_directory_is_no_secret(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(BadSecret, match="no regular file"):
        read_secret(tmp_path / "pipe")
    with pytest.raises(BadSecret, match="no regular file"):
        read_secret(tmp_path)
