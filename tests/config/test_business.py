"""Business rules in configurations: what they name, what is wrong with them, what they bind."""

import msgspec
import pytest

from daemons.config.business import Compiled, Scope, compiled, with_macros
from daemons.config.rule_text import written
from daemons.model.objects import Group, Host, Service, ShardBody, Traits
from daemons.model.relations import objects_in
from tests.config.texts import BASE, errors, host, loaded, service, warnings

WEB = Traits(tags=("http", "generic"), labels=("front",))
SCOPE = Scope(
    (Traits(), WEB),
    [Host("db1", "", "", 0), Host("meta", "", "", 0), Host("web1", "", "", 1), Host("web2", "", "", 1)],
    [Service("db1", "sql", 0), Service("meta", "rule", 0), Service("meta", "own", 0)]
    + [Service(h, d, t) for h in ("web1", "web2") for d, t in (("http", 1), ("https", 0))],
    [Group("webs", "", ("web1", "web2")), Group("empty", "")],
    [Group("sites", "", ("web1;http", "web2;https", "meta;rule"))],
)


def tree(text: str, key: str = "meta;rule") -> str:
    found = compiled(text, key, SCOPE)
    assert found.tree is not None and not found.wrong, found
    return written(found.tree)


@pytest.mark.parametrize(("text", "means"), [
    ("db1", "db1"),
    ("!db1,sql", "!db1;sql"),
    (",own", "meta;own"),
    ("g:webs", "web1 & web2"),
    ("g: webs", "web1 & web2"),
    ("!g:webs", "!(web1 & web2)"),
    ("l:front", "web1 & web2"),
    ("t:http", "web1 & web2"),
    ("t:generic", "web1 & web2"),
    ("r:web", "web1 & web2"),
    ("r:^web1", "web1"),
    ("r:(db|meta)", "db1 & meta"),
    ("*", "db1 & meta & web1 & web2"),
    ("g:webs,http", "web1;http & web2;http"),
    ("*,sql", "db1;sql"),
    ("*,g:sites", "web1;http & web2;https"),  # not itself
    ("web1,g:sites", "web1;http"),
    ("*,l:front", "web1;http & web2;http"),
    ("*,t:http", "web1;http & web2;http"),
    ("t:http,r:^https$", "web1;https & web2;https"),
    ("web1,*", "web1;http & web1;https"),
    (",*", "meta;own"),
    ("r:^web[12]{1,2}$,http", "web1;http & web2;http"),
    ("2 of: g:webs,http", "2 of: web1;http & web2;http"),
    ("50% of: g:webs,http & db1,sql", "50% of: web1;http & web2;http & db1;sql"),
    ("1 of: !g:webs | db1", "1 of: !(web1 & web2) & db1"),
    ("1 of: (web1 & web2)", "1 of: (web1 & web2)"),
    ("-1 of: g:webs", "-1 of: web1 & web2"),
    ("g:webs,http | db1", "(web1;http & web2;http) | db1"),
])  # fmt: skip
def test_elements_and_selectors_name_objects(text: str, means: str) -> None:
    assert tree(text) == means


def test_a_regex_matches_from_the_beginning_of_the_name() -> None:
    assert compiled("r:eb1", "meta;rule", SCOPE).tree is None


@pytest.mark.parametrize(("text", "why", "fix"), [
    ("web9", "host web9 is not defined", "did you mean 'web2'?"),
    ("web1,htp", "service htp on host web1 is not defined", "did you mean 'http'?"),
    ("web9,http", "host web9 is not defined", "did you mean 'web2'?"),
    ("web1,", "'web1,' names no service", "a host is named without a comma"),
    ("g:wbs", "hostgroup wbs is not defined", "did you mean 'webs'?"),
    ("g:empty", "'g:empty' selects no host", "correct the selector, or add what it should select"),
    ("*,g:site", "servicegroup site is not defined", "did you mean 'sites'?"),
    ("db1,g:sites", "'db1,g:sites' selects no service", "correct the selector, or add what it should select"),
    ("g:webs,sql", "no host of 'g:webs,sql' has a service sql", ""),
    ("r:[", "'[' is no regular expression: unterminated character set at position 0", ""),
    ("h:web", "'h:' is no selector", "g: group, l: label, r: regular expression, t: template"),
    ("meta,rule", "'meta,rule' is the object of the rule itself", "name another, or nothing"),
    ("", "the rule is empty", "the grammar is in docs/semantics.md"),
])  # fmt: skip
def test_what_names_nothing_is_complained_of_once(text: str, why: str, fix: str) -> None:
    found = compiled(text, "meta;rule", SCOPE)

    assert found.tree is None
    assert [(w.text, w.fix, w.key) for w in found.wrong] == [(why, fix, "meta;rule")]


def test_a_count_above_the_number_of_elements_is_a_warning() -> None:
    assert [w.warning for w in compiled("3 of: g:webs", "meta", SCOPE).wrong] == [True]
    assert compiled("3 of: g:webs", "meta", SCOPE).tree is not None
    assert compiled("2 of: g:webs", "meta", SCOPE).wrong == ()
    assert compiled("100% of: g:webs", "meta", SCOPE).wrong == ()


def test_a_host_names_itself_only_by_mistake() -> None:
    assert tree("*", "meta") == "db1 & web1 & web2"
    assert compiled("meta", "meta", SCOPE).tree is None


def test_elements_are_named_once_in_order() -> None:
    found: Compiled = compiled("web2 & (db1 | web2) & web1", "meta", SCOPE)
    assert found.tree is not None
    assert objects_in(found.tree) == ("web2", "db1", "web1")


def test_macros_in_macros_are_replaced_and_unknown_ones_vanish() -> None:
    assert with_macros("$_HOSTX$ a & $USER1$", {"_HOSTX": "$USER1$ of:", "USER1": "2"}) == "2 of: a & 2"
    assert with_macros("$NO$a", {}) == "a"
    assert with_macros("a$", {}) == "a$"
    assert with_macros("$A$", {"A": "$A$"}) == "$A$"  # given up


# ---------------------------------------------------------------- whole configurations

META = host("meta", "_XOF -1 of:") + host("web1") + host("web2")
HTTP = service("http", "host_name web1,web2")


def rule(text: str, *more: str, on: str = "meta") -> str:
    return service("rule", f"host_name {on}", f"check_command bp_rule!{text}", *more)


def body(text: str) -> ShardBody:
    found = loaded(text, BASE)
    assert not errors(found), errors(found)
    return msgspec.msgpack.decode(found.shards[0][1], type=ShardBody)


def test_a_rule_reaches_the_shard_as_a_tree() -> None:
    rules = body(META + HTTP + rule("$_HOSTXOF$ r:web,http")).rules

    assert {key: written(node) for key, node in rules.items()} == {"meta;rule": "-1 of: web1;http & web2;http"}


def test_a_host_may_be_a_rule() -> None:
    rules = body(host("site", "check_command bp_rule!web1 | web2") + META).rules

    assert {key: written(node) for key, node in rules.items()} == {"site": "web1 | web2"}


def test_rules_and_their_selectors_name_services_of_templates_too() -> None:
    text = "define service{\nname t\nregister 0\ncheck_command bp_rule!web1,http\ncheck_interval 1\nretry_interval 1\n}\n"
    two = "define service{\nuse t\nhost_name meta\nservice_description %s\n}\n"
    rules = body(META + HTTP + text + two % "one" + two % "two").rules

    assert {key: written(node) for key, node in rules.items()} == dict.fromkeys(("meta;one", "meta;two"), "web1;http")


def test_a_mistake_is_blamed_on_the_line_that_makes_it() -> None:
    text = META + HTTP + rule("web1,htp & web2,http")
    line = text.splitlines().index("    check_command bp_rule!web1,htp & web2,http") + 1
    found = loaded(text, BASE)

    assert errors(found) == [f"t.cfg:{line}: business rule of service rule on meta: service htp on host web1 is not defined"]
    assert not found.objects.rules.trees


def test_a_mistake_in_a_template_is_blamed_on_the_template() -> None:
    text = "define service{\nname t\nregister 0\ncheck_command bp_rule!nobody\ncheck_interval 1\nretry_interval 1\n}\n"
    found = loaded(text + META + "define service{\nuse t\nhost_name meta\nservice_description r\n}\n", BASE)

    assert errors(found) == ["t.cfg:4: business rule of service r on meta: host nobody is not defined"]


def test_rules_that_contain_each_other_are_an_error_and_rules_of_rules_are_not() -> None:
    one = service("one", "host_name meta", "check_command bp_rule!,two")
    two = service("two", "host_name meta", "check_command bp_rule!,one")
    (found,) = errors(loaded(META + one + two, BASE))
    assert "business rules contain each other: service one on meta -> service two on meta -> service one on meta" in found

    fine = service("two", "host_name meta", "check_command bp_rule!web1")
    assert not errors(loaded(META + one + fine, BASE))


def test_a_count_of_more_than_there_are_is_a_warning_with_its_line() -> None:
    found = loaded(META + HTTP + rule("3 of: r:web,http"), BASE)

    assert not errors(found)
    assert ["3 of: there are only 2" in w for w in warnings(found)] == [True]


def test_a_rule_is_no_reason_for_an_untagged_poller() -> None:
    tagged = META.replace("host_name web", "poller_tag dmz\n    host_name web")
    pollers = "define poller{\npoller_name p\naddress 127.0.0.1\npoller_tags dmz\n}\n"
    found = loaded(tagged + rule("web1 & web2") + pollers, BASE)

    assert not errors(found)
    assert found.shards[0][0].poller_tags == ()


# ---------------------------------------------------------------- modulations, options, realms

NIGHT = "define macromodulation{\nmacromodulation_name night\n_XOF 1 of: web9,http |\n}\n"


def test_a_rule_is_bound_to_the_hosts_that_its_modulations_would_name() -> None:
    text = host("meta", "macromodulations night") + host("web1") + host("web9") + NIGHT
    found = loaded(text + service("http", "host_name web1,web9") + rule("$_HOSTXOF$ web1,http"), BASE)

    assert not errors(found), errors(found)
    assert written(found.objects.rules.trees["meta;rule"]) == "web1;http"
    assert found.objects.rules.hosts["meta;rule"] == ("meta", "web1", "web9")


def test_a_mistake_that_only_a_modulation_makes_is_complained_of() -> None:
    text = host("meta", "macromodulations night") + host("web1") + NIGHT
    found = loaded(text + service("http", "host_name web1") + rule("$_HOSTXOF$ web1,http"), BASE)

    assert ["host web9 is not defined" in e for e in errors(found)] == [True]


def test_a_rule_puts_its_notification_options_on_what_is_in_it() -> None:
    text = META + host("other") + service("http", "host_name web1,web2,other")
    options = ("business_rule_host_notification_options d", "business_rule_service_notification_options n")
    objects = loaded(text + rule("web1,http | web2", *options), BASE).objects
    of = {s.key: objects.traits[s.traits].notification_options for s in objects.services}
    of |= {h.name: objects.traits[h.traits].notification_options for h in objects.hosts}

    assert (of["web1;http"], of["web2"]) == (("n",), ("d",))
    assert of["web2;http"] == of["other;http"] != ("n",)
    assert of["web1"] == of["meta"] != ("d",)


def test_without_such_options_everything_keeps_its_own() -> None:
    objects = loaded(META + HTTP + rule("web1,http"), BASE).objects

    (of,) = [objects.traits[s.traits] for s in objects.services if s.key == "web1;http"]
    assert of.notification_options == ("w", "u", "c", "r", "f", "s")
