"""What a reload would change, by type and name."""

from daemons.config.changes import changes
from daemons.config.lexer import Source
from daemons.config.load import load

DAEMONS = "".join(
    f"define {role} {{\n {role}_name {role}-1\n address 127.0.0.1\n port {port}\n}}\n"
    for role, port in (("arbiter", 7770), ("scheduler", 7768), ("poller", 7771))
)
HOST = "define host {{\n host_name {}\n address 10.0.0.1\n max_check_attempts {}\n}}\n"


def loaded(text, main=""):
    files = {"main": f"{main}\ncfg_file=all\n", "cfg_file": text}
    found = load(["main"], lambda kind, path, _: [Source(path, files[kind])])
    assert found.good, found.complaints
    return found


def test_the_same_configuration_changes_nothing_wherever_its_lines_are():
    text = DAEMONS + HOST.format("a", 2)
    assert not changes(loaded(text), loaded("# a comment\n\n" + text))


def test_hosts_are_counted_as_added_removed_and_changed():
    old = loaded(DAEMONS + HOST.format("a", 2) + HOST.format("b", 2))
    new = loaded(DAEMONS + HOST.format("a", 3) + HOST.format("c", 2))
    (change,) = changes(old, new).kinds

    assert (change.kind, change.added, change.removed, change.changed) == ("host", 1, 1, 1)
    assert str(change) == "host: 1 added, 1 removed, 1 changed (+c -b ~a)"


def test_a_daemon_whose_definition_changed_is_named():
    old = loaded(DAEMONS + HOST.format("a", 2))
    new = loaded(DAEMONS.replace("7771", "7799") + HOST.format("a", 2))
    found = changes(old, new)

    assert found.daemons == ("poller-1",) and found.kinds == ()


def test_settings_of_the_main_file_are_named():
    old = loaded(DAEMONS + HOST.format("a", 2))
    new = loaded(DAEMONS + HOST.format("a", 2), "log_level=DEBUG")
    assert changes(old, new).settings == ("log_level",)


def test_what_ties_objects_together_is_named_too():
    two = DAEMONS + HOST.format("a", 2) + HOST.format("b", 2)
    depends = "define hostdependency {\n host_name a\n dependent_host_name b\n execution_failure_criteria %s\n}\n"
    modulates = "define resultmodulation {\n resultmodulation_name r\n exit_codes_match 1\n exit_code_modulation %s\n}\n"
    old = loaded(two + depends % "d" + modulates % 0)
    new = loaded(two + depends % "u" + modulates % 2 + "define realm {\n realm_name All\n default 1\n}\n")
    said = [str(change) for change in changes(old, new).kinds]

    assert "hostdependency: 1 changed (~b on a)" in said
    assert "resultmodulation: 1 changed (~r)" in said
    assert "realm: 1 added, 1 removed (+All -Default)" in said
