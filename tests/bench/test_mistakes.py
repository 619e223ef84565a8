"""The generated files of the benchmarks are read with every check in place."""

from pathlib import Path

from daemons.cli.configuration import read_configuration
from tests.bench.generate import Size, write
from tests.bench.mistakes import MISTAKES, plant


def test_ten_mistakes_in_the_timed_files_give_ten_complaints_at_their_lines(tmp_path: Path) -> None:
    main = write(tmp_path, Size(hosts=200), "/bin/true", (("server1", "127.0.0.1"),))
    before = {str(c) for c in read_configuration((str(main),)).complaints}
    objects = tmp_path / "objects.cfg"
    text, planted = plant(objects.read_text())
    objects.write_text(text)

    found = [c for c in read_configuration((str(main),)).complaints if str(c) not in before]

    assert len(planted) == len(MISTAKES) == 10
    for mistake in planted:
        at = [c for c in found if c.where == f"{objects}:{mistake.line}"]
        assert len(at) == 1, f"{mistake}: {[str(c) for c in found]}"
        assert mistake.says in str(at[0])
