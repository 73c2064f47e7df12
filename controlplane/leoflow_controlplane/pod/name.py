"""What Pods and claims are called and labelled, so that they are found again without any other
record. Pure.

A label holds 63 letters of a small alphabet and is for searching; the whole ids stand in the
annotations of the same names, and only those are believed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from leoflow_agent.podname import OWN_LABELS, OWN_PREFIX

from leoflow_controlplane.keydigest import digest_key
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.pod.site import PodSite

REALM, OWNER = OWN_PREFIX + "realm", OWN_PREFIX + "owner"
DAG_ID, RUN_ID, TASK_ID = OWN_PREFIX + "dag-id", OWN_PREFIX + "run-id", OWN_PREFIX + "task-id"
MAP_INDEX, TRY_NUMBER = OWN_PREFIX + "map-index", OWN_PREFIX + "try-number"
# On a claim: it holds artifacts, and outlives its run.
ARTIFACTS, KEPT = OWN_PREFIX + "artifacts", "kept"
# What `kubectl` and dashboards group by.
MANAGED_BY = dict.fromkeys(OWN_LABELS, "leoflow")
# RFC 1123: the most of a DNS label, and of a label's value.
MAX_LABEL = 63

_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.\-]{0,61}[A-Za-z0-9])?)?")


@lru_cache(maxsize=4096)
def pod_name(key: TryKey, realm_id: str) -> str:
    """Name the Pod of a try: always the same for the same try of a realm, and for no other."""
    mapped = [] if key.map_index < 0 else [str(key.map_index)]
    tail = "-".join([*mapped, str(key.try_number), digest_key(realm_id, key)])
    return _name(f"{key.dag_id}-{key.task_id}", tail)


def claim_name(run: RunKey, realm_id: str) -> str:
    """Name the claim of the volume that the tries of a run share."""
    return _name(f"staging-{run.dag_id}", digest_key(realm_id, run))


def own_labels(site: PodSite) -> dict[str, str]:
    """Label what is of an owner; by these it is found."""
    return {REALM: label_value(site.realm_id), OWNER: label_value(site.owner_id)}


def make_labels(key: TryKey, site: PodSite) -> dict[str, str]:
    """Label a Pod, so that it is found by whose it is and by what it runs."""
    mapped = {} if key.map_index < 0 else {MAP_INDEX: str(key.map_index)}
    return {
        **make_run_labels(key.run, site),
        TASK_ID: label_value(key.task_id),
        **mapped,
        TRY_NUMBER: str(key.try_number),
    }


def make_run_labels(run: RunKey, site: PodSite) -> dict[str, str]:
    """Label what belongs to a run as a whole."""
    return {
        **MANAGED_BY,
        **own_labels(site),
        DAG_ID: label_value(run.dag_id),
        RUN_ID: label_value(run.run_id),
    }


def make_annotations(key: TryKey) -> dict[str, str]:
    """Write which try a Pod is of."""
    return {
        **make_run_annotations(key.run),
        TASK_ID: key.task_id,
        MAP_INDEX: str(key.map_index),
        TRY_NUMBER: str(key.try_number),
    }


def make_run_annotations(run: RunKey) -> dict[str, str]:
    """Write which run something is of."""
    return {DAG_ID: run.dag_id, RUN_ID: run.run_id}


def read_try(metadata: Mapping[str, Any]) -> TryKey | None:
    """Tell which try an object is of; None if its annotations are not what was written."""
    annotations = metadata.get("annotations") or {}
    try:
        return TryKey(
            annotations[DAG_ID],
            annotations[RUN_ID],
            annotations[TASK_ID],
            int(annotations[MAP_INDEX]),
            int(annotations[TRY_NUMBER]),
        )
    except (KeyError, ValueError):
        return None


def read_run(metadata: Mapping[str, Any]) -> RunKey | None:
    """Tell which run an object is of; None if its annotations are not what was written."""
    annotations = metadata.get("annotations") or {}
    try:
        return RunKey(annotations[DAG_ID], annotations[RUN_ID])
    except KeyError:
        return None


def label_value(text: str) -> str:
    """Give ``text`` as a label's value holds it; a hash tells changed ones apart."""
    if _VALUE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_.\-]+", "-", text)[: MAX_LABEL - 13].strip("-_.")
    return f"{readable}-{digest}" if readable else digest


def _name(words: str, tail: str) -> str:
    """Put a DNS label together in which only the words are cut."""
    room = MAX_LABEL - len("leoflow--") - len(tail)
    readable = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[: max(room, 0)].strip("-")
    return "-".join(filter(None, ("leoflow", readable, tail)))
