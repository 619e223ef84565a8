"""The text of every monitoring line in the log, without the leading `[epoch] `.

Formats as Nagios Core 4 and Shinken's simple-log write them, so that every log tool reads ours. A key is
"host" or "host;service": the separator of a key is that of the lines.
"""

from daemons.model.status import HOST_STATES, SERVICE_STATES, STATE_TYPES


def what(key: str) -> str:
    """Return "SERVICE" or "HOST", by the form of an object's key."""
    return "SERVICE" if ";" in key else "HOST"


def state_name(key: str, state: int) -> str:
    """Return the word for a state of the object `key`: OK ... UNKNOWN, or UP, DOWN, UNREACHABLE."""
    names = SERVICE_STATES if ";" in key else HOST_STATES
    return names[state] if 0 <= state < len(names) else names[-1]


def _facts(key: str, state: int, state_type: int, attempt: int, output: str) -> str:
    return f"{key};{state_name(key, state)};{STATE_TYPES[state_type]};{attempt};{output}"


def alert(key: str, state: int, state_type: int, attempt: int, output: str) -> str:
    """Return the SERVICE ALERT or HOST ALERT line; `output` is the first line of the output."""
    return f"{what(key)} ALERT: {_facts(key, state, state_type, attempt, output)}"


def current_state(key: str, state: int, state_type: int, attempt: int, output: str) -> str:
    """Return the CURRENT HOST STATE or CURRENT SERVICE STATE line (log_initial_states)."""
    return f"CURRENT {what(key)} STATE: {_facts(key, state, state_type, attempt, output)}"


def initial_state(key: str, state: int, state_type: int, attempt: int, output: str) -> str:
    """Return the INITIAL HOST STATE or INITIAL SERVICE STATE line."""
    return f"INITIAL {what(key)} STATE: {_facts(key, state, state_type, attempt, output)}"


def event_handler(
    key: str, state: int, state_type: int, attempt: int, command: str, *, everyones: bool = False
) -> str:
    """Return the SERVICE EVENT HANDLER or HOST EVENT HANDLER line; `command` as configured.

    `everyones`: it is the global one, whose line begins with GLOBAL (Nagios).
    """
    prefix = "GLOBAL " if everyones else ""
    return f"{prefix}{what(key)} EVENT HANDLER: {_facts(key, state, state_type, attempt, command)}"


def snapshot(key: str, state: int, state_type: int, attempt: int, command: str) -> str:
    """Return the SERVICE SNAPSHOT or HOST SNAPSHOT line."""
    return f"{what(key)} SNAPSHOT: {_facts(key, state, state_type, attempt, command)}"


def maintenance(key: str, state: str, output: str) -> str:
    """Return the SERVICE MAINTENANCE ALERT or HOST MAINTENANCE ALERT line; `state` as `rules.maintenance` says."""
    return f"{what(key)} MAINTENANCE ALERT: {key};{state};{output}"


def notification(
    contact: str,
    key: str,
    kind: str,
    state: int,
    command: str,
    output: str,
    author: str = "",
    comment: str = "",
) -> str:
    """Return the SERVICE NOTIFICATION or HOST NOTIFICATION line; `command` is the command's name.

    `kind` is a constant of `rules.notify`: problems and recoveries show the state alone, others as
    `ACKNOWLEDGEMENT (CRITICAL)`. What a person caused (acknowledgement, custom, downtime) ends with
    author and comment, as in Naemon; problems, recoveries and flapping do not.
    """
    shown = state_name(key, state)
    line = f"{what(key)} NOTIFICATION: {contact};{key};"
    if kind in ("PROBLEM", "RECOVERY"):
        return f"{line}{shown};{command};{output}"
    line = f"{line}{kind} ({shown});{command};{output}"
    if kind.startswith("FLAPPING"):
        return line
    return f"{line};{author};{comment}"


def flapping_started(key: str, percent: float, threshold: float) -> str:
    """Return the FLAPPING ALERT line for a start; percentages 0..100."""
    noun, sign = ("Service", ">=") if ";" in key else ("Host", ">")
    return (
        f"{what(key)} FLAPPING ALERT: {key};STARTED; {noun} appears to have started flapping"
        f" ({percent:.1f}% change {sign} {threshold:.1f}% threshold)"
    )


def flapping_stopped(key: str, percent: float, threshold: float) -> str:
    """Return the FLAPPING ALERT line for an end; percentages 0..100."""
    noun = "Service" if ";" in key else "Host"
    return (
        f"{what(key)} FLAPPING ALERT: {key};STOPPED; {noun} appears to have stopped flapping"
        f" ({percent:.1f}% change < {threshold:.1f}% threshold)"
    )


def flapping_disabled(key: str) -> str:
    """Return the FLAPPING ALERT line for a flapping object whose flap detection was switched off."""
    return f"{what(key)} FLAPPING ALERT: {key};DISABLED; Flap detection has been disabled"


def downtime_started(key: str) -> str:
    """Return the DOWNTIME ALERT line for a start."""
    noun = "Service" if ";" in key else "Host"
    return f"{what(key)} DOWNTIME ALERT: {key};STARTED; {noun} has entered a period of scheduled downtime"


def downtime_stopped(key: str) -> str:
    """Return the DOWNTIME ALERT line for an end."""
    noun = "Service" if ";" in key else "Host"
    return (
        f"{what(key)} DOWNTIME ALERT: {key};STOPPED; {noun} has exited from a period of scheduled"
        " downtime"
    )


def downtime_cancelled(key: str) -> str:
    """Return the DOWNTIME ALERT line for a downtime in effect that somebody deleted."""
    noun = "service" if ";" in key else "host"
    return (
        f"{what(key)} DOWNTIME ALERT: {key};CANCELLED; Scheduled downtime for {noun} has been"
        " cancelled."
    )


def contact_downtime(contact: str, started: bool) -> str:
    """Return the CONTACT DOWNTIME ALERT line for a start or an end."""
    if started:
        return f"CONTACT DOWNTIME ALERT: {contact};STARTED; Contact has entered a period of scheduled downtime"
    return f"CONTACT DOWNTIME ALERT: {contact};STOPPED; Contact has exited from a period of scheduled downtime"


def contact_downtime_cancelled(contact: str) -> str:
    """Return the CONTACT DOWNTIME ALERT line for a downtime in effect that somebody deleted."""
    return f"CONTACT DOWNTIME ALERT: {contact};CANCELLED; Scheduled downtime for contact has been cancelled."


def passive_check(key: str, code: int, output: str) -> str:
    """Return the PASSIVE SERVICE CHECK or PASSIVE HOST CHECK line (log_passive_checks)."""
    return f"PASSIVE {what(key)} CHECK: {key};{code};{output}"


def stale(key: str, by_s: float, threshold_s: float) -> str:
    """Return the warning for a result that is too old and makes its check run now, as in Nagios 4."""
    host, _, service = key.partition(";")
    of = f"service '{service}' on host '{host}'" if service else f"host '{host}'"
    return (
        f"Warning: The results of {of} are stale by {_days(by_s)} (threshold={_days(threshold_s)})."
        f"  I'm forcing an immediate check of the {'service' if service else 'host'}."
    )


def orphaned(key: str, last_wall: float, next_wall: float) -> str:
    """Return the warning for a check whose result never came back and that is run again."""
    host, _, service = key.partition(";")
    of = f"service '{service}' on host '{host}'" if service else f"host '{host}'"
    return (
        f"Warning: The check of {of} looks like it was orphaned (results never came back;"
        f" last_check={int(last_wall)}; next_check={int(next_wall)}).  I'm scheduling an immediate check"
        f" of the {'service' if service else 'host'}..."
    )


def _days(seconds: float) -> str:
    left = int(seconds)
    return f"{left // 86400}d {left // 3600 % 24}h {left // 60 % 60}m {left % 60}s"


def external_command(line: str) -> str:
    """Return the EXTERNAL COMMAND line for a command as it came, with or without its `[epoch] `."""
    return f"EXTERNAL COMMAND: {_unstamped(line)}"


def command_unknown(line: str) -> str:
    """Return the line for what is no command at all, as Nagios has it."""
    return f"Warning: Unrecognized external command -> {_unstamped(line)}"


def command_failed(line: str, why: str) -> str:
    """Return the line for a command that could not be obeyed, as Nagios has it, with the reason."""
    return f"Error: External command failed -> {_unstamped(line)} ({why})"


def passive_unknown(host: str, description: str = "", *, host_known: bool = False) -> str:
    """Return the line for a passive result of a host, or of a service of a host, that is not there."""
    of = f"service '{description}' on host '{host}'" if description else f"host '{host}'"
    noun = "service" if host_known else "host"
    return (
        f"Warning:  Passive check result was received for {of}, but the {noun} could not be found!"
    )


def _unstamped(line: str) -> str:
    """Return a command line without its `[epoch]`, as one line."""
    text = line.strip()
    if text.startswith("["):
        text = text.partition("]")[2].strip() or text
    return " ".join(text.splitlines())


def period_transition(name: str, was: int, now: int) -> str:
    """Return the TIMEPERIOD TRANSITION line: -1 = not known before, 0 outside, 1 inside."""
    return f"TIMEPERIOD TRANSITION: {name};{was};{now}"
