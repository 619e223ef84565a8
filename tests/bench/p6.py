"""Livestatus on 100,000 services, in-process: parsing, rows and bytes of the answer, no socket.

The figures to be compared with are those of naemon-livestatus over its socket on the same number of services.
"""

import statistics
import time

import msgspec

from daemons.model.objects import Host, Service, Traits
from daemons.model.status import Status
from daemons.modules.livestatus.engine import answer, request
from daemons.modules.livestatus.store import Store
from daemons.wire.messages import Delta
from tests.roles.stage import body

HOSTS, SERVICES = 10_000, 10
NOW = 1_800_000_000.0
RUNS = 9
TIMES = 2.0  # the pass line, of what naemon-livestatus takes; the goal is to be faster
QUERIES = {
    "list of 4 columns": (41.0, "GET services\nColumns: host_name description state plugin_output\nOutputFormat: json"),
    "figures of 4 states": (
        7.2,
        "GET services\nStats: state = 0\nStats: state = 1\nStats: state = 2\nStats: state = 3\nOutputFormat: json",
    ),
    "services of one host": (
        0.2,
        "GET services\nColumns: description state plugin_output\nFilter: host_name = host-04711\nOutputFormat: json",
    ),
}


def filled() -> Store:
    """A store with all services, of which one in fifty is not well."""
    store = Store()
    hosts = tuple(Host(f"host-{n:05d}", "127.0.0.1", "", 0) for n in range(HOSTS))
    services = tuple(Service(host.name, f"service-{n}", 0) for host in hosts for n in range(SERVICES))
    store.configure(body(hosts=hosts, services=services, traits=(Traits(check_command="check"),)))
    encode = msgspec.msgpack.Encoder().encode
    for first in range(0, len(services), 1000):
        records = {}
        for at, service in enumerate(services[first : first + 1000], first):
            state = (0 if at % 50 else 1 + at // 50 % 3)
            status = Status(key=service.key, checked=True, state=state, output=f"output of {service.description}")
            records["o/" + service.key] = encode(status)
        store.take(Delta(1, 1, first + 1, NOW, records))
    return store


def run() -> bool:
    """Print the figures; return whether the pass lines were kept."""
    print(f"p6: Livestatus, {HOSTS * SERVICES:,} services", flush=True)
    store = filled()
    len(store.world.services)
    kept = True
    for name, (theirs_ms, query) in QUERIES.items():
        took = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            answer(request(query.split("\n"), store, NOW), store, NOW)
            took.append((time.perf_counter() - begun) * 1000)
        ours_ms = statistics.median(took)
        good = ours_ms <= theirs_ms * TIMES
        kept &= good
        print(f"  {name:22} {ours_ms:8.2f} ms   naemon {theirs_ms} ms   {'ok' if good else 'MISSED'}", flush=True)
    return kept
