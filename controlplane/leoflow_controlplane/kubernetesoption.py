"""The settings that only the executor kubernetes has, as options: kinds, defaults and meanings."""

from __future__ import annotations

from leoflow_controlplane.option import Option
from leoflow_controlplane.quantity import COUNT, SECONDS, SWITCH, TEXT, WORDS, choice

# What each is called in KubernetesSettings comes after this.
PREFIX = "kubernetes_"

KUBERNETES_OPTIONS: tuple[Option, ...] = (
    Option(
        "kubernetes_context",
        TEXT,
        None,
        "the context of KUBECONFIG to use; none: the current one, or the cluster that this is in",
    ),
    Option("kubernetes_namespace", TEXT, None, "the namespace of tries; none: that of the context"),
    Option("kubernetes_service_account", TEXT, None, "the service account of Pods that name none"),
    Option("kubernetes_image_pull_secrets", WORDS, (), "secrets that all Pods pull images with"),
    Option(
        "kubernetes_agent_image",
        TEXT,
        None,
        "an image to mount the agent from; none: each image has it, as those that leoflow builds",
    ),
    Option(
        "kubernetes_agent_mount",
        choice("image-volume", "init-container"),
        "init-container",
        "how it is mounted; image-volume needs a cluster that has image volumes",
    ),
    Option("kubernetes_create_rate", COUNT, 200, "Pods that are created a second, at most"),
    Option(
        "kubernetes_keep_finished_seconds", SECONDS, 60.0, "how long a Pod that went well is kept"
    ),
    Option("kubernetes_keep_failed_seconds", SECONDS, 3600.0, "how long a Pod that failed is kept"),
    Option(
        "kubernetes_prepull",
        SWITCH,
        False,
        "whether the image of a DAG is pulled on the nodes once it is pushed",
    ),
)
