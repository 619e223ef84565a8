"""Perfdata files: who writes them, and by which template."""

from daemons.config.perfdata import DEFAULT
from daemons.model.objects import Globals
from tests.config.texts import BASE, errors, loaded, warnings

BROKER = "define broker{\nbroker_name b1\naddress 127.0.0.1\nmodules %s\n}\n"
MODULE = "define module{\nmodule_name %s\nmodule_type %s\n%s\n}\n"
TAKE = "define command{\ncommand_name take\ncommand_line /bin/mv $ARG1$ there\n}\n"


def said(text: str, modules: str = "files", block: str = "") -> tuple[dict[str, str], Globals, object]:
    """Options of the module `files`, the globals, and all of what was loaded."""
    found = loaded(text + BROKER % modules + TAKE + block, BASE)
    assert found.cluster is not None
    options = next((m.options for m in found.cluster.modules if m.name == "files"), {})
    return options, found.objects.globals, found


def test_a_module_that_a_broker_names_gives_the_template_to_the_schedulers():
    block = MODULE % ("files", "service_perfdata", "path /var/perf\nmode w\ntemplate $SERVICEDESC$")
    options, globals, _ = said("", block=block)
    assert (options["path"], options["mode"]) == ("/var/perf", "w")
    assert globals.service_perfdata_template == "$SERVICEDESC$"
    assert globals.host_perfdata_template == ""


def test_one_that_nobody_names_costs_the_schedulers_nothing():
    _, globals, _ = said("", "Simple-log", MODULE % ("files", "service_perfdata", "path /var/perf"))
    assert globals.service_perfdata_template == ""


def test_what_the_module_does_not_say_the_main_file_does():
    text = (
        "host_perfdata_file_template=$HOSTNAME$\nhost_perfdata_file_mode=p\nperfdata_timeout=9\n"
        "host_perfdata_file_processing_interval=60\n"
        "host_perfdata_file_processing_command=take!here\n"
    )
    options, globals, found = said(text, block=MODULE % ("files", "perfdata-host", "path /var/perf"))
    assert errors(found) == []
    assert options == {
        "path": "/var/perf", "template": "$HOSTNAME$", "mode": "p", "timeout": "9",
        "processing_interval": "60", "processing_command": "take!here",
        "processing_line": "/bin/mv $ARG1$ there",
    }  # fmt: skip
    assert globals.host_perfdata_template == "$HOSTNAME$"
    options, globals, _ = said(text, block=MODULE % ("files", "host-perfdata", "mode a\ntemplate x"))
    assert (options["mode"], globals.host_perfdata_template) == ("a", "x")


def test_without_any_template_it_is_the_one_that_nagios_documents():
    for kind in ("host", "service"):
        _, globals, _ = said("", block=MODULE % ("files", f"{kind}-perfdata", "path x"))
        assert getattr(globals, f"{kind}_perfdata_template") == DEFAULT[kind]
        assert DEFAULT[kind].startswith(f"[{kind.upper()}PERFDATA]\\t$TIMET$\\t$HOSTNAME$\\t")


def test_a_processing_command_has_to_be_defined():
    text = "service_perfdata_file_processing_command=nobody\n"
    _, _, found = said(text, block=MODULE % ("files", "service-perfdata", "path x"))
    assert [e for e in errors(found) if "processing_command: command nobody is not defined" in e]


def test_two_files_of_a_kind_have_one_template():
    block = "".join(
        MODULE % (name, "service-perfdata", f"path {name}\ntemplate {template}")
        for name, template in (("files", "a"), ("more", "b"), ("same", "a"))
    )
    _, globals, found = said("", "files,more,same", block)
    assert globals.service_perfdata_template == "a"
    (warning,) = [w for w in warnings(found) if "another template" in w]
    assert "module more has another template than files" in warning


def test_keys_of_an_old_main_file_make_the_modules_of_every_broker():
    text = (
        "service_perfdata_file=/var/perf\nhost_perfdata_file=/var/host-perf\nhost_perfdata_file_mode=w\n"
        r"service_perfdata_file_template=$TIMET$\t$SERVICEDESC$" + "\n"
    )
    _, globals, found = said(text, "Simple-log")
    assert errors(found) == []
    made = {m.type: m.options for m in found.cluster.modules}
    assert made["service-perfdata"]["path"] == "/var/perf"
    assert (made["host-perfdata"]["path"], made["host-perfdata"]["mode"]) == ("/var/host-perf", "w")
    assert globals.service_perfdata_template == r"$TIMET$\t$SERVICEDESC$"
    assert globals.host_perfdata_template == DEFAULT["host"]
    brokers = [d for d in found.cluster.daemons if d.role == "broker"]
    assert brokers and all({"service-perfdata", "host-perfdata"} <= set(d.modules) for d in brokers)
