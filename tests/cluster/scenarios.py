"""The scenarios by the names of the scorecard, with their pass lines. `QUICK` and `QUICK_ALONE` are CI's set."""

from tests.cluster import cuts, deaths, operated, scarce, stores
from tests.cluster.plan import Plan
from tests.cluster.scene import Line, Scenario

_STORED = Plan(
    modules=(("scheduler", "kept"),),
    blocks="define module {\n    module_name  kept\n    module_type  memcached_retention\n"
    f"    server  {stores.STORE}\n    port  {stores.PORT}\n}}\n",
)

_ALL = (
    Scenario(
        id="F1", what="kill -9 of the scheduler that runs the shard", play=deaths.f01_scheduler_killed,
        lines=(Line("failover", 2.0), Line("checks in time again", 5.0)),
    ),
    Scenario(
        id="F2", what="kill -9 of the leading arbiter; then no arbiter at all", play=deaths.f02_arbiters_killed,
        lines=(Line("arbiter taken over", 2.0), Line("checks late without arbiters", 1.0)),
    ),
    Scenario(
        id="F3", what="power-off of the server that runs the shard", play=deaths.f03_server_off,
        lines=(Line("first check", 5.0), Line("last role", 5.0), Line("state loss", 1.5)),
    ),
    Scenario(
        id="F4", what="that server cut off, healed", play=cuts.f04_server_cut_off,
        lines=(Line("first check", 5.0), Line("old owner stopped", 2.5), Line("whole after heal", 10.0)),
    ),
    Scenario(
        id="F5", what="one way only: the leader hears and is not heard, and the reverse", play=cuts.f05_one_way,
        lines=(Line("changes of leader", 1, ""),),
    ),
    Scenario(
        id="F6", what="the arbiters' servers cut from each other", play=cuts.f06_arbiters_parted,
        lines=(Line("changes of leader", 0, ""), Line("changes of owner", 0, ""), Line("checks late", 1.0)),
    ),
    Scenario(
        id="F7", what="two servers cut from each other, split_policy=takeover", play=operated.f07_two_servers_parted,
        lines=(Line("merged", 10.0),), plan=Plan(servers=2), split=True,
    ),
    Scenario(
        id="F7H", what="the same with split_policy=hold", play=operated.f07_two_servers_parted,
        lines=(Line("merged", 10.0), Line("sides that went on", 1, "")),
        plan=Plan(servers=2, lines=("split_policy=hold",)),
    ),
    Scenario(
        id="F8", what="SIGSTOP of the scheduler for 10 s, then SIGCONT", play=deaths.f08_scheduler_stopped,
        lines=(Line("orders of the old owner obeyed", 0, ""), Line("failover", 5.0)),
    ),
    Scenario(
        id="F9", what="the server that runs the shard frozen, thawed", play=deaths.f09_server_frozen,
        lines=(Line("orders of the old owner obeyed", 0, ""), Line("first check", 5.0)),
    ),
    Scenario(
        id="F10", what="kill -9 of the reactionner while a notification command runs", play=deaths.f10_reactionner_killed,
        lines=(Line("told again", 5.0), Line("times told again", 1, "")),
    ),
    Scenario(
        id="F11", what="a poller killed, a poller cut off with its results", play=deaths.f11_poller_lost,
        lines=(Line("checks late, killed", 6.0), Line("checks late, cut off", 6.0)),
    ),
    Scenario(
        id="F12", what="both brokers away, the scheduler killed meanwhile", play=stores.f12_brokers_away,
        lines=(Line("replayed", 30.0), Line("scheduler grew", 64.0, "MB")),
    ),
    Scenario(
        id="F13", what="the receiver killed with commands in its spool, its disk full", play=stores.f13_receiver_killed,
        lines=(Line("lost", 0, ""), Line("applied after", 30.0)), disk="64m",
    ),
    Scenario(
        id="F14", what="memcached killed, hung, flushed, evicting, empty, slow: one a run", play=stores.f14_store_fails,
        lines=(Line("delay added", 0.05), Line("delay added, p99", 0.2)),
        plan=_STORED, servers_more=1, prepare=stores.with_memcached,
    ),
    Scenario(
        id="F15", what="memcached flushed and the scheduler killed together", play=stores.f15_store_and_scheduler,
        lines=(Line("failover", 2.0), Line("state loss", 1.5)),
        plan=_STORED, servers_more=1, prepare=stores.with_memcached,
    ),
    Scenario(
        id="F16", what="pages in memcached corrupt or cut off, and no other copy", play=stores.f16_bad_pages,
        lines=(Line("forgotten", 0.6, ""),), forgets=True,
        plan=_STORED, servers_more=1, prepare=stores.with_memcached,
    ),
    Scenario(
        id="F17", what="clock 1 h ahead, 1 h behind, 5 % fast, stepped back", play=scarce.f17_wrong_clocks,
        lines=(Line("changes of leader or owner", 0, ""), Line("checks late", 4.0), Line("told, of what was due", 1.5, "")),
        skewed=True,
    ),
    Scenario(
        id="F18", what="300 ms latency, 30 % loss, 1 Mbit/s on every link", play=cuts.f18_bad_links,
        lines=(Line("changes of leader", 1, ""), Line("changes of owner", 1, "")),
    ),
    Scenario(
        id="F19", what="half-open connections to a server that is gone", play=cuts.f19_half_open,
        lines=(Line("noticed", 2.5), Line("more threads", 4, "")),
    ),
    Scenario(
        id="F20", what="a voter's disk full, its fsync slow, its fsync failing", play=scarce.f20_disk,
        lines=(
            Line("granted without a disk", 0, ""), Line("taken over once there is room", 8.0),
            Line("changes of owner by slow or failing fsync", 0, ""),
        ),
        disk="64m",
    ),
    Scenario(
        id="F21", what="no more processes, few descriptors, 10 % of a core", play=scarce.f21_small_machine,
        lines=(Line("changes of owner", 1, ""),),
    ),
    Scenario(
        id="F22", what="a link that flaps every 5 s", play=cuts.f22_flapping_link,
        lines=(Line("changes of owner", 3, ""),),
    ),
    Scenario(
        id="F23", what="failback to the preferred scheduler under load", play=operated.f23_failback,
        lines=(Line("gap", 0.3),),
    ),
    Scenario(
        id="F24", what="planned switchover of each role under load", play=operated.f24_switchover,
        lines=(
            Line("gap of the scheduler", 0.5), Line("gap of the scheduler", 0.3, of="median"), Line("gap of others", 0.5),
        ),
    ),
    Scenario(
        id="F25", what="pause, then the owner's server lost, then the end of the pause", play=operated.f25_pause,
        lines=(Line("taken over while paused", 0, ""), Line("taken over after its end", 5.0)),
    ),
    Scenario(
        id="F26", what="every server stopped and started in turn", play=operated.f26_rolling_restart,
        lines=(Line("checks late", 5.0),),
    ),
    Scenario(
        id="F27", what="a server lost, and a voter's keeper killed during the failover", play=deaths.f27_double_fault,
        lines=(Line("first check", 8.0),),
    ),
)  # fmt: skip
SCENARIOS: dict[str, Scenario] = {scenario.id: scenario for scenario in _ALL}
QUICK = ("F1", "F3", "F4", "F6", "F8", "F10", "F11")  # in one cluster, one after the other
QUICK_ALONE = ("F14",)
