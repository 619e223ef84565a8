"""Random objects and random commands for them: what both engines are to understand alike."""

import random

from msgspec import Struct

HEAD = """\
define timeperiod{
    timeperiod_name  24x7
    alias  always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}
define timeperiod{
    timeperiod_name  never
    alias  never
}
define command{
    command_name  true
    command_line  /bin/true
}
"""
CONTACTS = {
    "ann": ("d,u,r,f,s", "w,u,c,r,f,s"),
    "bob": ("d,r", "c,r"),
    "eve": ("u,f,s", "w,u,f,s"),
    "kim": ("d,u,r,f,s", "w,u,c,r,f,s"),  # of escalations
}


SERVICE_CODES = {"services": (0, 0, 1, 2, 2, 3), "hosts": (0,)}
HOST_CODES = {"services": (0,), "hosts": (0, 0, 1)}


class Island(Struct, frozen=True):
    """One host with a service (and what they hang on), alone in its world, and what is done to them."""

    name: str
    objects: str
    steps: tuple[tuple[str, ...], ...]


def head() -> str:
    """Return what all islands share."""
    return HEAD + "".join(
        _block(
            "contact",
            contact_name=name,
            host_notification_period="24x7",
            service_notification_period="24x7",
            host_notification_options=of_host,
            service_notification_options=of_service,
            host_notification_commands="true",
            service_notification_commands="true",
        )
        for name, (of_host, of_service) in CONTACTS.items()
    )


def island(seed: int, ticks: int = 28) -> Island:
    """Return the island of that number; the same number gives the same one."""
    return _Maker(seed, ticks).made()


def _block(kind: str, **attrs: object) -> str:
    return f"define {kind}{{\n" + "".join(f"    {a}  {v}\n" for a, v in attrs.items()) + "}\n"


class _Maker:
    def __init__(self, seed: int, ticks: int) -> None:
        self.chance = random.Random(seed)
        self.name = f"is{seed}"
        self.ticks = ticks
        self.parts: list[str] = []
        self.hosts = [self.name]
        self.services = [(self.name, "svc")]
        # Services of hosts that are not UP are no common ground: Naemon and Nagios differ there.
        self.about = self.chance.choice(("services", "services", "hosts"))

    def made(self) -> Island:
        self.objects()
        calm = self.chance.choice((0.2, 0.5, 0.8))  # how often the last result comes again
        self.last: dict[str, int] = {}
        steps = [tuple(f"PROCESS_HOST_CHECK_RESULT;{host};0;up" for host in self.hosts)]
        if self.about == "hosts":
            self.services = []
        for _ in range(self.ticks):
            step = self.results(calm)
            if self.chance.random() < 0.15:
                step.append(self.command())
            steps.append(tuple(step))
        return Island(self.name, "".join(self.parts), tuple(steps))

    # -- objects

    def objects(self) -> None:
        relations = ("parent", "host dependency", "service dependency")
        other = self.chance.choice(("", "", "", *relations[: 3 if self.about == "services" else 2]))
        second = f"{self.name}-b"
        self.host(self.name, parents=second if other == "parent" else "")
        if self.about == "services":
            self.service(self.name)
        if other:
            self.hosts.append(second)
            self.host(second)
            if self.about == "services":
                self.service(second)
                self.services.append((second, "svc"))
        criteria = self.chance.choice(("d", "u,d", "u"))
        if other == "host dependency":
            self.block(
                "hostdependency", host_name=second, dependent_host_name=self.name,
                notification_failure_criteria=criteria,
            )  # fmt: skip
        if other == "service dependency":
            self.block(
                "servicedependency", host_name=second, service_description="svc",
                dependent_host_name=self.name, dependent_service_description="svc",
                notification_failure_criteria=self.chance.choice(("w", "c", "u,c", "w,u")),
            )  # fmt: skip

    def block(self, kind: str, **attrs: object) -> None:
        self.parts.append(_block(kind, **{a: v for a, v in attrs.items() if v != ""}))

    def common(self, options: str, letters: str) -> dict[str, object]:
        pick = self.chance.choice
        made: dict[str, object] = {
            "max_check_attempts": pick((1, 1, 2, 3, 4)),
            "check_command": "true",
            "check_interval": 600,
            "retry_interval": 600,
            "active_checks_enabled": 0,
            "check_period": "24x7",
            "notification_period": pick(("24x7",) * 9 + ("never",)),
            "notification_interval": pick((0, 4, 3600)),
            "first_notification_delay": 0,
            "notification_options": pick((options, options, options, self.letters(options), "n")),
            "contacts": pick(("ann", "ann", "ann,bob", "bob,eve")),
            "flap_detection_enabled": pick((0, 0, 1)),
            "notifications_enabled": pick((1,) * 9 + (0,)),
            "low_flap_threshold": pick((5, 10, 15)),
            "high_flap_threshold": pick((20, 30, 40)),
        }
        if self.chance.random() < 0.3:
            made["flap_detection_options"] = self.letters(letters)
        if self.chance.random() < 0.3:
            made["stalking_options"] = self.letters(letters)
        if self.chance.random() < 0.3:
            made["event_handler"] = "true"
            made["event_handler_enabled"] = pick((1, 1, 0))
        return made

    def letters(self, of: str) -> str:
        every = of.split(",")
        return ",".join(self.chance.sample(every, self.chance.randint(1, len(every))))

    def host(self, name: str, parents: str = "") -> None:
        self.block(
            "host", host_name=name, alias=name, address="127.0.0.1", parents=parents,
            **self.common("d,u,r,f,s", "o,d,u"),
        )  # fmt: skip
        if self.chance.random() < 0.15:
            self.block("hostescalation", host_name=name, **self.range())

    def service(self, host: str) -> None:
        self.block(
            "service", host_name=host, service_description="svc",
            is_volatile=self.chance.choice((0, 0, 0, 1)), **self.common("w,u,c,r,f,s", "o,w,u,c"),
        )  # fmt: skip
        if self.chance.random() < 0.25:
            self.block(
                "serviceescalation", host_name=host, service_description="svc", **self.range()
            )

    def range(self) -> dict[str, object]:
        first = self.chance.choice((1, 2, 3))
        made: dict[str, object] = {
            "first_notification": first,
            "last_notification": self.chance.choice((0, first, first + 2)),
            "notification_interval": self.chance.choice((0, 4, 3600)),
            "contacts": "kim",
        }
        return made

    # -- commands

    def results(self, calm: float) -> list[str]:
        step = []
        for host, service in self.services:
            if self.chance.random() < 0.85:
                code = self.code(f"{host};{service}", SERVICE_CODES[self.about], calm)
                text = self.chance.choice(("x", "x", "y"))
                step.append(f"PROCESS_SERVICE_CHECK_RESULT;{host};{service};{code};{text}{code}")
        for host in self.hosts:
            if self.chance.random() < (0.8 if self.about == "hosts" else 0.2):
                code = self.code(host, HOST_CODES[self.about], calm)
                step.append(f"PROCESS_HOST_CHECK_RESULT;{host};{code};h{code}")
        return step

    def code(self, key: str, codes: tuple[int, ...], calm: float) -> int:
        if self.chance.random() >= calm or key not in self.last:
            self.last[key] = self.chance.choice(codes)
        return self.last[key]

    def command(self) -> str:
        pick = self.chance.choice
        host, service = pick(self.hosts), "svc"
        switch = pick(("ENABLE", "DISABLE"))
        flags = f"{pick((1, 2))};{pick((0, 1))};{pick((0, 1))}"
        until = pick((6, 11, 16))
        of_host = (
            f"ACKNOWLEDGE_HOST_PROBLEM;{host};{flags};joe;seen",
            f"REMOVE_HOST_ACKNOWLEDGEMENT;{host}",
            f"SCHEDULE_HOST_DOWNTIME;{host};@-1;@+{until};1;0;0;joe;work",
            f"DEL_DOWNTIME_BY_HOST_NAME;{host}",
            f"{switch}_HOST_NOTIFICATIONS;{host}",
            f"{switch}_HOST_FLAP_DETECTION;{host}",
            f"{switch}_HOST_EVENT_HANDLER;{host}",
            f"SEND_CUSTOM_HOST_NOTIFICATION;{host};{pick((0, 1, 2, 3))};joe;look",
        )
        if self.about == "hosts":
            return pick(of_host)
        of_service = (
            f"ACKNOWLEDGE_SVC_PROBLEM;{host};{service};{flags};joe;seen",
            f"ACKNOWLEDGE_SVC_PROBLEM;{host};{service};{flags};joe;seen",
            f"REMOVE_SVC_ACKNOWLEDGEMENT;{host};{service}",
            f"SCHEDULE_SVC_DOWNTIME;{host};{service};@-1;@+{until};1;0;0;joe;work",
            f"SCHEDULE_HOST_SVC_DOWNTIME;{host};@-1;@+{until};1;0;0;joe;work",
            f"{switch}_SVC_NOTIFICATIONS;{host};{service}",
            f"{switch}_HOST_SVC_NOTIFICATIONS;{host}",
            f"{switch}_SVC_FLAP_DETECTION;{host};{service}",
            f"{switch}_SVC_EVENT_HANDLER;{host};{service}",
            f"SEND_CUSTOM_SVC_NOTIFICATION;{host};{service};{pick((0, 1, 2, 3))};joe;look",
        )
        return pick(of_host + of_service)
