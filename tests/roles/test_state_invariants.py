"""Any sequence of results and commands: what docs/semantics.md promises of a status always holds."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemons.model.check import CODE_NOT_STARTED, CODE_SIGNALLED, CODE_TIMEOUT
from daemons.model.objects import Host, Service, Traits
from daemons.model.status import HARD, OK, SOFT
from daemons.roles.role import Wait
from daemons.wire.messages import Submit, Submitted
from tests.roles.stage import Stage, body

KEYS = ("web1", "web1;http", "router")
CODES = (0, 1, 2, 3, 5, -1, 126, CODE_TIMEOUT, CODE_SIGNALLED, CODE_NOT_STARTED)
COMMANDS = (
    "CHANGE_MAX_SVC_CHECK_ATTEMPTS;web1;http;1", "CHANGE_MAX_SVC_CHECK_ATTEMPTS;web1;http;5",
    "CHANGE_MAX_HOST_CHECK_ATTEMPTS;web1;1", "CHANGE_MAX_HOST_CHECK_ATTEMPTS;web1;4",
    "ACKNOWLEDGE_SVC_PROBLEM;web1;http;2;1;0;joe;mine", "ACKNOWLEDGE_SVC_PROBLEM;web1;http;1;0;0;joe;mine",
    "ACKNOWLEDGE_HOST_PROBLEM;web1;1;0;0;joe;mine", "REMOVE_SVC_ACKNOWLEDGEMENT;web1;http",
    "DISABLE_SVC_FLAP_DETECTION;web1;http", "ENABLE_SVC_FLAP_DETECTION;web1;http",
    "SCHEDULE_SVC_DOWNTIME;web1;http;0;9999999999;0;0;5;joe;mine", "DEL_DOWNTIME_BY_HOST_NAME;web1",
    "DISABLE_PASSIVE_SVC_CHECKS;web1;http", "ENABLE_PASSIVE_SVC_CHECKS;web1;http",
    "DISABLE_SVC_CHECK;web1;http", "ENABLE_SVC_CHECK;web1;http", "STOP_EXECUTING_SVC_CHECKS",
    "START_EXECUTING_SVC_CHECKS", "SCHEDULE_FORCED_SVC_CHECK;web1;http;0", "SCHEDULE_HOST_CHECK;web1;0",
    "CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;0", "CHANGE_NORMAL_SVC_CHECK_INTERVAL;web1;http;1",
    "CHANGE_RETRY_SVC_CHECK_INTERVAL;web1;http;0", "CLEAR_SVC_FLAPPING_STATE;web1;http",
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("passive"), st.just("web1;http"), st.sampled_from((0, 1, 2, 2))),
        st.tuples(st.just("passive"), st.sampled_from(KEYS), st.sampled_from((0, 1, 2, 3, 7, -1))),
        st.tuples(st.just("run"), st.sampled_from(KEYS), st.sampled_from(CODES)),
        st.tuples(st.just("obey"), st.sampled_from(COMMANDS[:4]), st.just(0)),
        st.tuples(st.just("obey"), st.sampled_from(COMMANDS[4:]), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.sampled_from((0, 3, 15))),
        st.tuples(st.just("fail over"), st.just(""), st.just(0)),
    ),
    min_size=4,
    max_size=30,
)


class Play(Stage):
    def __init__(self, service, host):
        super().__init__(
            body(
                traits=(service, host),
                hosts=(Host("web1", "", "", 1, ("router",)), Host("router", "", "", 1)),
                services=(Service("web1", "http", 0),),
            )
        )
        self.owner, self.sent_n, self.due = "s0", 0, {}
        self.start(self.owner)

    @property
    def owned(self):
        return self.schedulers[self.owner].seats[1].owned

    def submit(self, line):
        self.sent_n += 1
        items = (Submitted(f"c{self.sent_n}", f"[0] {line}", self.now.wall),)
        answer = self.schedulers[self.owner].handle(Submit("recv", items), self.now)
        assert isinstance(answer, Wait) or not answer.foreign, line

    def step(self, what, which, number):
        match what:
            case "passive" if ";" in which:
                self.submit(f"PROCESS_SERVICE_CHECK_RESULT;{which};{number};said|t={number}")
            case "passive":
                self.submit(f"PROCESS_HOST_CHECK_RESULT;{which};{number};said")
            case "run":
                for order in self.orders(self.exchange(to=self.owner)):
                    self.due[order.object] = order
                if which in self.due:
                    self.result(self.due.pop(which), number, "", to=self.owner)
            case "obey":
                self.submit(which)
            case "wait":
                self.run(float(number))
            case "fail over":
                self.run(1.0)
                before = {key: item.status for key, item in self.owned.state.items.items()}
                former, self.owner = self.owner, f"s{int(self.owner[1:]) + 1}"
                self.add(self.owner)
                self.kill(former)
                self.place(self.owner)
                self.run(3.0)
                for key, item in self.owned.state.items.items():
                    assert told(item.status) == told(before[key]), key


def told(status):
    """What a new owner has to go on from, whatever happens to be checked meanwhile."""
    return (
        status.state, status.state_type, status.attempt, status.last_hard_state, status.event_id,
        status.problem_id, status.hard_changes, status.flap_history, status.forced_wall > 0,
    )  # fmt: skip


def check(item, after):
    status, most = item.status, max(item.traits.max_check_attempts, 1)
    where = (item.key, after, status)
    assert status.state in (range(3) if item.is_host else range(4)), where
    assert 1 <= status.attempt <= most, where
    if status.state_type == SOFT and status.state != OK:
        # CHANGE_MAX_*_ATTEMPTS confirms nothing by itself: the next result does
        assert status.attempt < most or after[0] in ("obey", "wait", "fail over"), where
    if status.state_type == SOFT and status.state == OK:
        assert item.is_host, where
        assert status.last_hard_state == OK, where
    if status.state_type == HARD:
        assert status.last_hard_state == status.state, where
    if status.state == OK:
        assert status.attempt == 1, where
        assert status.ack is None, where
        assert status.notification_number == 0, where
        assert status.problem_id == 0, where
    else:
        assert status.checked, where
        assert status.problem_id > status.last_problem_id, where
        assert status.event_id > status.last_event_id, where
    if status.state_type == HARD and status.state != OK:
        assert status.hard_changes > 0, where
        assert status.problem_wall > 0, where
    assert len(status.flap_history) <= 21, where
    assert 0.0 <= status.flap_percent <= 100.0, where
    assert len({d.id for d in status.downtimes}) == len(status.downtimes), where
    assert status.forced_wall > 0 or not item.forced, where


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps, st.integers(1, 4), st.integers(1, 3), st.booleans(), st.sampled_from((0.0, 2.0)),
    st.sampled_from((0.0, 5.0)),
)  # fmt: skip
def test_a_status_keeps_its_invariants(story, attempts, host_attempts, volatile, retry_s, every_s):
    service = Traits(
        check_command="check!web", check_interval_s=5.0, retry_interval_s=retry_s,
        max_check_attempts=attempts, is_volatile=volatile, contacts=("ann",),
        stalking_options=("o", "w", "c", "u"),
    )  # fmt: skip
    host = Traits(
        check_command="check!web", check_interval_s=every_s, retry_interval_s=retry_s,
        max_check_attempts=host_attempts,
    )  # fmt: skip
    play = Play(service, host)
    for step in story:
        states = {key: item.status for key, item in play.owned.state.items.items()}
        soft = {
            key for key, status in states.items()
            if status.state_type == SOFT and status.state != OK
            and status.attempt >= play.owned.state.items[key].traits.max_check_attempts
        }  # fmt: skip
        play.step(*step)
        for item in play.owned.state.items.values():
            if item.key in soft and item.status is states.get(item.key):
                continue  # lowered to what it had: waits for its next result
            check(item, step)
