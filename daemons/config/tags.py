"""Work that nobody would do: tags that no poller or reactionner of a realm takes.

The one thing to know: a tag that is carried by no poller at all is an error where it is written
(`traits`, as in Shinken); here is what only the realm tells, and untagged work where all are tagged.
"""

from daemons.config.complain import Complaints
from daemons.config.link import Objects
from daemons.config.realms import Realms
from daemons.config.shards import poller_tags
from daemons.model.cluster import Cluster, DaemonDef, RoleName

_WORK: dict[RoleName, str] = {"poller": "checks", "reactionner": "notifications and event handlers"}


def complain_of_tags(
    objects: Objects, cluster: Cluster, realms: Realms, complaints: Complaints
) -> None:
    """Warn of each realm and tag with work that no daemon serving the realm takes.

    Realms that no poller or reactionner serves at all are complained of elsewhere (`lint`).
    """
    for realm, used in _traits_of(objects).items():
        traits = [objects.traits[n] for n in sorted(used)]
        asked: dict[RoleName, set[str]] = {
            "poller": set(poller_tags(traits, objects)),
            "reactionner": {t.reactionner_tag for t in traits},
        }
        for role, what in _WORK.items():
            taken = [
                d.takes for d in cluster.daemons if d.role == role if _serves(d, realm, realms)
            ]
            missing = asked[role].difference(*taken) if taken else set[str]()
            for tag in sorted(missing):
                kind = f"{what} with the {role}_tag {tag}" if tag else f"untagged {what}"
                complaints.warning(
                    f"no {role} that serves realm {realm} takes {kind}: nobody would run them",
                    "",
                    f"add {tag or 'None'} to the {role}_tags of one of them",
                )


def _traits_of(objects: Objects) -> dict[str, set[int]]:
    """Return which traits are used in which realm."""
    used: dict[str, set[int]] = {realm: set() for realm in sorted(set(objects.realms))}
    of_host = {}
    for host, realm in zip(objects.hosts, objects.realms, strict=True):
        of_host[host.name] = used[realm]
        used[realm].add(host.traits)
    for service in objects.services:
        of_host[service.host].add(service.traits)
    return used


def _serves(daemon: DaemonDef, realm: str, realms: Realms) -> bool:
    return daemon.realm == realm or (
        daemon.manage_sub_realms and daemon.realm in realms.above(realm)
    )
