"""A real shell, given values that would like to be more than values: what arrives at the program, and what else happens."""

import subprocess
from pathlib import Path

import pytest

from daemons.net.worker import words_of
from daemons.rules.shell_line import shell_line
from daemons.rules.template import Outside, split_macros

VALUES = (
    "; touch {f}", "$(touch {f})", "`touch {f}`", "'; touch {f}; '", '"; touch {f}; "', "| touch {f}", "&& touch {f}",
    "> {f}", "a\ntouch {f}", "\\'; touch {f} #", "\\\"; touch {f} #", "*", "~root", "$HOME ${{IFS}} $$", "{{a,b}}",
    "'", '"', "\\", "x\\", "!!", "# no", "=(x)", "<(touch {f})",
)  # fmt: skip


def line(text: str, value: str) -> str:
    return shell_line(split_macros(text), {"OUT": Outside(value)}.get, ())


def by_shell(command: str, folder: Path) -> str:
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, cwd=folder, timeout=20, check=False)
    assert ran.stderr == ""
    return ran.stdout


@pytest.mark.parametrize("value", VALUES)
def test_a_shell_gives_the_program_the_value_and_does_nothing_else(value: str, tmp_path: Path) -> None:
    value = value.format(f="made")
    printf = "/usr/bin/printf '[%s]'"
    said = by_shell(
        "; ".join(
            line(text, value)
            for text in (f'{printf} "$OUT$" x', f"{printf} 'a $OUT$'", f'{printf} "it\'s $OUT$" | cat')
        ),
        tmp_path,
    )

    assert said == f"[{value}][x][a {value}][it's {value}]"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", VALUES)
def test_without_quotes_it_is_words_and_nothing_else(value: str, tmp_path: Path) -> None:
    value = value.format(f="made")
    command = line("/usr/bin/printf '[%s]' a$OUT$", value)

    assert by_shell(command, tmp_path) == "".join(f"[{word}]" for word in f"a{value}".split())
    assert words_of(command) == ["/usr/bin/printf", "[%s]", *f"a{value}".split()]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "text",
    [
        "/bin/sh -c \"echo '$OUT$'\"", "/bin/sh -c 'echo \"$OUT$\"'", 'sh -c "echo $OUT$"', 'echo "$(echo $OUT$)"',
        "echo `echo '$OUT$'`", "cat <<E\n$OUT$\nE", 'eval "echo $OUT$"', "echo '$OUT$' | xargs echo",
        "echo x | awk '{print \"$OUT$\"}'",
    ],
)  # fmt: skip
def test_in_code_for_another_shell_it_gives_no_orders(text: str, value: str, tmp_path: Path) -> None:
    subprocess.run(
        ["/bin/sh", "-c", line(text, value.format(f="made"))], capture_output=True, cwd=tmp_path, timeout=20, check=False
    )

    assert list(tmp_path.iterdir()) == []


def test_the_tests_would_see_a_file(tmp_path: Path) -> None:
    by_shell('echo "$(touch made)"', tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["made"]
