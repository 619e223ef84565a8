"""The recorded scenarios of reference servers, replayed by a few lines of scheduler around the rules.

Only passive results and the commands below are played; scenarios that need more (time, dependencies, escalations,
active checks) belong to the scheduler's own replay. Alerts, flapping, notifications and event handlers must be
those of one of the engines.
"""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from daemons.model.clock import Wall
from daemons.model.objects import Globals, Traits, Way
from daemons.model.relations import Escalation
from daemons.model.status import Ack, Downtime, Status, Told
from daemons.rules import booked, commands, escalate, flapping, handlers, lines, notify, state

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
SCENARIOS = GOLDEN / "scenarios.jsonl"
CONFIG = GOLDEN / "configs" / "scenarios" / "objects.cfg"

pytestmark = pytest.mark.skipif(
    not SCENARIOS.exists(), reason="the golden data is not beside the checkout"
)

PLAYED = {
    "PROCESS_SERVICE_CHECK_RESULT", "PROCESS_HOST_CHECK_RESULT", "ACKNOWLEDGE_SVC_PROBLEM",
    "REMOVE_SVC_ACKNOWLEDGEMENT", "CHANGE_MAX_SVC_CHECK_ATTEMPTS", "DISABLE_SVC_NOTIFICATIONS",
    "ENABLE_SVC_NOTIFICATIONS", "SEND_CUSTOM_SVC_NOTIFICATION", "DISABLE_SVC_FLAP_DETECTION",
    "ENABLE_SVC_FLAP_DETECTION", "DISABLE_SVC_EVENT_HANDLER", "ADD_SVC_COMMENT",
    "SCHEDULE_SVC_DOWNTIME", "DEL_DOWNTIME_BY_HOST_NAME",
}  # fmt: skip
LATER = {
    "svc-dep-notif": "dependencies are not among the rules yet",
    "svc-dep-soft": "dependencies are not among the rules yet",
    "unknown-service": "only the scheduler knows which objects exist",
    "parent-up-child-down": "it plays a second host, which the replay has not",
}


def scenarios():
    if not SCENARIOS.exists():
        return
    for line in SCENARIOS.read_text().splitlines():
        case = json.loads(line)
        names = {command.partition(";")[0] for step in case["steps"] for command in step}
        if names and names <= PLAYED and case["id"] not in LATER:
            yield case


def blocks():
    """(type, attributes) of the recorded configuration."""
    for block in CONFIG.read_text().split("define ")[1:]:
        kind, _, body = block.partition("{")
        rows = (row.strip() for row in body.partition("}")[0].splitlines())
        yield kind.strip(), dict(row.split(None, 1) for row in rows if " " in row)


def listed(text):
    return tuple(filter(None, text.split(",")))


def traits_of(fields):
    return Traits(
        max_check_attempts=int(fields["max_check_attempts"]),
        notification_interval_s=float(fields["notification_interval"]),
        notification_options=listed(fields["notification_options"]),
        notifications_enabled=fields.get("notifications_enabled", "1") == "1",
        first_notification_delay_s=float(fields.get("first_notification_delay", 0)),
        flap_detection_enabled=fields.get("flap_detection_enabled", "1") == "1",
        flap_detection_options=listed(fields.get("flap_detection_options", "")),
        low_flap_threshold=float(fields.get("low_flap_threshold", -1)),
        high_flap_threshold=float(fields.get("high_flap_threshold", -1)),
        is_volatile=fields.get("is_volatile") == "1",
        event_handler=fields.get("event_handler", ""),
        event_handler_enabled="event_handler" in fields,
        contacts=listed(fields["contacts"]),
    )


SETTINGS = Globals(low_service_flap_threshold=5, high_service_flap_threshold=20,
                   low_host_flap_threshold=5, high_host_flap_threshold=20)  # fmt: skip


class Bench:
    """One host and its service; enough of a scheduler to hear what the rules say."""

    def __init__(self, case, traits, ways, soft_hosts, escalations=()):
        self.escalations = escalations  # of the service
        self.host = case["host"]
        self.ways = ways
        self.soft_hosts = soft_hosts
        self.traits = traits
        self.status = {key: Status(key=key) for key in traits}
        self.log = []
        self.now = Wall(0.0)

    def tick(self, now, orders):
        self.now = Wall(now)
        for key in self.status:
            self.book(key)
        for order in orders:
            command = commands.parse(order.replace("@+", "").replace("@-", "-"))
            assert isinstance(command, commands.ExternalCommand), command
            self.obey(command.name, command.args)

    def obey(self, name, args):
        key = ";".join(args[:2]) if "_SVC_" in name or "SERVICE" in name else args[0]
        status = self.status.get(key)
        match name:
            case "PROCESS_SERVICE_CHECK_RESULT":
                self.result(key, state.service_state(int(args[2]), passive=True), args[3])
            case "PROCESS_HOST_CHECK_RESULT":
                self.result(key, state.passive_host_state(int(args[1])), args[2])
            case "ACKNOWLEDGE_SVC_PROBLEM":
                if status.state:
                    status.ack = Ack(author=args[5], comment=args[6], sticky=args[2] == "2")
                    if args[3] == "1":
                        self.notify(key, notify.ACKNOWLEDGEMENT, args[5], args[6])
            case "REMOVE_SVC_ACKNOWLEDGEMENT":
                status.ack = None
            case "CHANGE_MAX_SVC_CHECK_ATTEMPTS":
                self.change(key, max_check_attempts=int(args[2]))
            case "DISABLE_SVC_NOTIFICATIONS" | "ENABLE_SVC_NOTIFICATIONS":
                self.change(key, notifications_enabled=name.startswith("EN"))
            case "DISABLE_SVC_EVENT_HANDLER":
                self.change(key, event_handler_enabled=False)
            case "SEND_CUSTOM_SVC_NOTIFICATION":
                self.notify(key, notify.CUSTOM, args[3], args[4], forced=int(args[2]) & 2 > 0)
            case "DISABLE_SVC_FLAP_DETECTION" | "ENABLE_SVC_FLAP_DETECTION":
                self.change(key, flap_detection_enabled=name.startswith("EN"))
                if status.flapping and name.startswith("DIS"):
                    status.flapping = False
                    self.log.append(lines.flapping_disabled(key))
                    self.notify(key, notify.FLAPPING_DISABLED)
                self.flap(key, records=False)
            case "SCHEDULE_SVC_DOWNTIME":
                start, end, fixed, trigger, duration, author, comment = args[2:]
                status.downtimes += (
                    Downtime(
                        id=len(status.downtimes) + 1, entry_wall=self.now, fixed=fixed == "1",
                        start_wall=self.now + float(start), end_wall=self.now + float(end),
                        trigger_id=int(trigger), duration_s=float(duration),
                        author=author, comment=comment,
                    ),
                )  # fmt: skip
                self.book(key)
            case "DEL_DOWNTIME_BY_HOST_NAME":
                key = ";".join(args[:2])
                status = self.status[key]
                for downtime in status.downtimes:
                    status.downtimes, events = booked.cancel(status.downtimes, downtime.id)
                    self.tell_booked(key, events)

    def change(self, key, **changes):
        self.traits[key] = msgspec.structs.replace(self.traits[key], **changes)

    def result(self, key, new, output):
        status, traits = self.status[key], self.traits[key]
        now = (status.state, status.state_type, status.attempt, status.last_hard_state)
        most = traits.max_check_attempts
        if ";" in key:
            up = self.status[self.host].state == 0
            move = state.service_move(*now, new, most, volatile=traits.is_volatile, host_up=up)
        else:
            move = state.host_move(*now, new, most, hard_at_once=not self.soft_hosts)
        status.state, status.state_type = move.state, move.state_type
        status.attempt, status.last_hard_state = move.attempt, move.last_hard_state
        status.output = output
        status.ack = booked.ack_after(move, status.ack)
        if move.changed:
            status.last_change_wall = self.now
        if move.changed or move.hard_changed:
            status.next_notification_wall = 0.0
            status.no_more_notifications = False
        if move.hard_changed:
            status.problem_wall = self.now if move.state else 0.0
        if move.alert:
            self.log.append(
                lines.alert(key, move.state, move.alert_type, move.alert_attempt, output)
            )
        self.book(key, problem=booked.begins_in_effect(move))
        self.flap(key)
        in_downtime = status.downtime_depth > 0
        if handlers.wanted(move, enabled=traits.event_handler_enabled, in_downtime=in_downtime,
                           not_in_downtimes=False):  # fmt: skip
            for handler in handlers.to_run(traits, SETTINGS, is_host=";" not in key):
                self.log.append(
                    lines.event_handler(
                        key, move.state, move.alert_type, move.alert_attempt, handler.command
                    )
                )
        if move.state and move.state_type == 1:
            self.notify(key, notify.PROBLEM)
        elif move.recovery and move.hard_changed:
            self.notify(key, notify.RECOVERY)
        if move.state == 0:
            status.notification_number, status.told = 0, ()

    def flap(self, key, records=True):
        status, traits, is_host = self.status[key], self.traits[key], ";" not in key
        low, high = flapping.thresholds(traits, SETTINGS, is_host=is_host)
        flap = flapping.after_result(
            status.flap_history, status.flap_percent, status.flapping, status.state,
            low=low, high=high, enabled=traits.flap_detection_enabled,
            records=records and flapping.recorded(
                status.state, status.state_type, traits.flap_detection_options, is_host=is_host),
        )  # fmt: skip
        status.flap_history, status.flap_percent = flap.history, flap.percent
        status.flapping = flap.flapping
        if flap.event == flapping.STARTED:
            self.log.append(lines.flapping_started(key, flap.percent, flap.threshold))
            self.notify(key, notify.FLAPPING_START)
            status.notification_number = 0
        elif flap.event == flapping.STOPPED:
            self.log.append(lines.flapping_stopped(key, flap.percent, flap.threshold))
            self.notify(key, notify.FLAPPING_STOP)

    def book(self, key, problem=False):
        status = self.status[key]
        status.downtimes, events = booked.transitions(status.downtimes, self.now, problem=problem)
        self.tell_booked(key, events)

    def tell_booked(self, key, events):
        for event in (event for event in events if event.told):
            line, kind, author, comment = {
                "STARTED": (lines.downtime_started, notify.DOWNTIME_START,
                            event.downtime.author, event.downtime.comment),
                "STOPPED": (lines.downtime_stopped, notify.DOWNTIME_END,
                            event.downtime.author, event.downtime.comment),
                "CANCELLED": (lines.downtime_cancelled, notify.DOWNTIME_CANCELLED, "", ""),
            }[event.what.value]  # fmt: skip
            self.log.append(line(key))
            self.notify(key, kind, author, comment)

    def notify(self, key, kind, author="", comment="", forced=False):
        status, traits, is_host = self.status[key], self.traits[key], ";" not in key
        host = self.status[self.host]
        verdict = notify.problem_verdict(
            kind, status, traits, self.now, is_host=is_host, enabled=traits.notifications_enabled,
            host_up=host.state == 0, host_downtime=host.downtime_depth > 0, forced=forced,
        )  # fmt: skip
        if not verdict.send:
            return
        status.notification_number += kind == notify.PROBLEM
        applying = escalate.in_force(
            () if is_host else self.escalations, number=status.notification_number,
            began=Wall(status.problem_wall), at=self.now,
            letter=notify.letter_of(status.state, is_host), in_period=lambda _name, _wall: True,
        )  # fmt: skip
        sent = False
        for contact in escalate.contacts(applying, traits.contacts):
            told = contact in [told.contact for told in status.told]
            if notify.contact_verdict(self.ways[contact], kind, status.state, is_host=is_host,
                                      told=told, forced=forced).send:  # fmt: skip
                sent = True
                self.log.append(
                    lines.notification(
                        contact, key, kind, status.state, "notify", status.output, author, comment
                    )
                )
                if kind == notify.PROBLEM:
                    status.told += (Told(contact, self.now),)
        if kind == notify.PROBLEM and not sent:
            status.notification_number -= 1
        elif kind == notify.PROBLEM:
            interval_s = escalate.interval_s(applying, traits.notification_interval_s)
            again = notify.next_notification(self.now, interval_s)
            status.no_more_notifications = again is None
            status.next_notification_wall = again or 0.0


@pytest.mark.parametrize("case", list(scenarios()), ids=lambda case: case["id"])
def test_recorded_scenarios_are_ours(case):
    traits, ways, escalations = {}, {}, []
    for kind, fields in blocks():
        if kind == "contact":
            ways[fields["contact_name"]] = Way(
                host_notification_options=listed(fields["host_notification_options"]),
                service_notification_options=listed(fields["service_notification_options"]),
                host_notification_commands=("notify",),
                service_notification_commands=("notify",),
            )
        elif fields.get("host_name") == case["host"] and kind == "serviceescalation":
            escalations.append(
                Escalation(
                    name="e", contacts=listed(fields["contacts"]),
                    first_notification=int(fields["first_notification"]),
                    last_notification=int(fields["last_notification"]),
                    notification_interval_s=float(fields["notification_interval"]),
                )
            )  # fmt: skip
        elif fields.get("host_name") == case["host"] and kind in ("host", "service"):
            key = ";".join(filter(None, (case["host"], fields.get("service_description"))))
            traits[key] = traits_of(fields)
    for soft in (True, False):
        bench = Bench(case, dict(traits), ways, soft, escalations)
        for number in range(max(len(case["steps"]) + 4, 1)):
            orders = case["steps"][number] if number < len(case["steps"]) else ()
            bench.tick(1000.0 + number * case["tick_s"], orders)
        accepted = [
            Counter(entry["line"] for entry in answer["log"])
            for engine, answer in case["expect"].items()
            if bool(answer["passive_host_checks_are_soft"]) == soft
        ]
        assert not accepted or Counter(bench.log) in accepted, "\n".join(bench.log)
