"""Which names Kubernetes takes, and which are leoflow's in a Pod. Pure, standard library only.

Source of the rules: k8s.io/apimachinery/pkg/util/validation, IsQualifiedName, IsValidLabelValue,
IsDNS1123Label, IsDNS1123Subdomain. Each function says what is wrong with a name, or None.
"""

from __future__ import annotations

import posixpath
import re

OWN_PREFIX = "leoflow.dev/"
OWN_LABELS = ("app.kubernetes.io/managed-by",)
OWN_VARIABLES = "LEOFLOW_"
OWN_VOLUMES = "leoflow-"
# Of the container in which the task runs, and of the one that brings its agent.
TASK_CONTAINER = "task"
AGENT_CONTAINER = "leoflow-agent"
# Where leoflow mounts, or has put into the image, what a task cannot do without. (A task may
# have a /tmp of its own.)
OWN_FOLDERS = ("/staging", "/artifacts", "/leoflow-agent", "/opt/leoflow", "/dev/termination-log")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.\-]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9\-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9\-]*[a-z0-9])?)*")


def is_own_label(key: str) -> bool:
    """Whether a label or an annotation is leoflow's."""
    return key.startswith(OWN_PREFIX) or key in OWN_LABELS


def bad_label_key(key: str) -> str | None:
    """The key of a label or an annotation: a name, before it perhaps a domain and a slash."""
    domain, slash, name = key.rpartition("/")
    if slash and not (len(domain) <= 253 and _SUBDOMAIN.fullmatch(domain)):
        return f"'{domain}', before the '/', has to be a domain in small letters"
    if not _NAME.fullmatch(name):
        return (
            f"'{name}' has to be 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit "
            "at both ends"
        )
    return None


def bad_label_value(value: str) -> str | None:
    """The value of a label: as a name, or nothing."""
    if value and not _NAME.fullmatch(value):
        return (
            f"'{value}' has to be at most 63 letters, digits, '-', '_' and '.', with a letter or "
            "digit at both ends"
        )
    return None


def bad_dns_label(name: str) -> str | None:
    """The name of a container or a volume."""
    if not _LABEL.fullmatch(name):
        return f"'{name}' has to be 1 to 63 small letters, digits and '-', with none at either end"
    return None


def bad_dns_name(name: str) -> str | None:
    """The name of most objects."""
    if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        return f"'{name}' has to be small letters, digits, '-' and '.', as the names of objects are"
    return None


def bad_resource(name: str) -> str | None:
    """What nodes announce by name: a domain that is not Kubernetes' own, a slash, and a name."""
    domain, slash, _ = name.partition("/")
    if not slash or bad_label_key(name):
        return f"'{name[:250]}' is no name of a resource, such as nvidia.com/gpu"
    if domain == "kubernetes.io" or domain.endswith(".kubernetes.io"):
        return f"'{name[:250]}': names with kubernetes.io are Kubernetes' own"
    return None


def bad_mount(volume: str, path: str) -> str | None:
    """A place where a task wants a volume of its own."""
    if not path.startswith("/") or ":" in path:
        return f"mountPath '{path}' has to be a whole path, from / on, without ':'"
    whole = posixpath.normpath(path).replace("//", "/")
    for own in OWN_FOLDERS:
        if whole == own or whole.startswith(f"{own}/") or own.startswith(f"{whole.rstrip('/')}/"):
            return f"mountPath '{path}' would hide '{own}', which leoflow needs: choose another one"
    if volume.startswith(OWN_VOLUMES):
        return f"volume '{volume}' is leoflow's own, and is mounted already"
    return None
