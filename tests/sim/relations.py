"""A host beside the others, on which the monitoring language is played: its objects; language.py judges them."""

from msgspec.structs import replace

from daemons.model.objects import Command, Contact, Host, Service, ShardBody, Traits, Way
from daemons.model.relations import Dependency, Escalation, RuleNode

HOST = "h9"
AGAIN, SILENT, LEANS, RULE, FRESH = (f"{HOST};{name}" for name in ("again", "silent", "leans", "rule", "fresh"))
REPEATED = (AGAIN, SILENT)  # told again and again: by results, and by time alone
INTERVAL_S = 6.0
ESCALATES = 3  # the number from which the boss is told instead
STALE_S = 6.0


def more(body: ShardBody, plain: Traits) -> ShardBody:
    """Return `body` with what is looked at here; `plain` are the traits of an ordinary service."""
    quiet = replace(plain, event_handler_enabled=False, obsess=False, snapshot=None)
    again = replace(
        quiet, contacts=("ann",), notification_interval_s=INTERVAL_S, escalations=("to the boss",)
    )
    silent = replace(again, active_checks_enabled=False, max_check_attempts=1, check_interval_s=0.0)
    rule = replace(quiet, check_command=f"bp_rule!{HOST},again & {HOST},silent", contacts=("ann",))
    fresh = replace(
        quiet, contacts=("ann",), notification_options=("w", "u", "c", "r", "s"),
        active_checks_enabled=False, check_freshness=True, freshness_threshold_s=STALE_S,
    )  # fmt: skip
    first = len(body.traits)
    kinds = {AGAIN: again, SILENT: silent, LEANS: quiet, RULE: rule, FRESH: fresh}
    way = Way(
        service_notification_options=("w", "u", "c", "r", "s"), service_notification_commands=("say",)
    )
    return replace(
        body,
        traits=(*body.traits, *kinds.values()),
        hosts=(*body.hosts, Host(HOST, "10.0.0.9", HOST, 0)),
        services=(
            *body.services,
            *(Service(HOST, key.partition(";")[2], first + n) for n, key in enumerate(kinds)),
        ),
        contacts=(*body.contacts, *(Contact(name=name, ways=(way,)) for name in ("ann", "boss"))),
        commands=(
            *body.commands,
            Command("bp_rule", "bp_rule"),
            Command(
                "say", "say $HOSTNAME$;$SERVICEDESC$ $NOTIFICATIONTYPE$ $SERVICESTATE$"
                " $NOTIFICATIONNUMBER$ $CONTACTNAME$ $NOTIFICATIONCOMMENT$",
            ),
        ),
        escalations=(
            Escalation(name="to the boss", contacts=("boss",), first_notification=ESCALATES),
        ),
        dependencies=(
            Dependency(dependent=LEANS, on=AGAIN, execution=("c",), notification=("c",)),
        ),
        rules={RULE: RuleNode(kind="&", nodes=tuple(RuleNode(kind="object", key=key) for key in REPEATED))},
        globals=replace(
            body.globals, service_freshness_check_interval_s=1.0, additional_freshness_latency_s=0.0
        ),
    )
