"""Every option that a task has of its Pod, said in the three places where it can be."""

from leoflow import dag, task

ON_ZONES = {
    "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [
            {
                "matchExpressions": [
                    {
                        "key": "topology.kubernetes.io/zone",
                        "operator": "In",
                        "values": ["eu-1a", "eu-1b"],
                    }
                ]
            }
        ]
    }
}


@task(
    artifacts=True,
    execution_timeout_seconds=90,
    resources={
        "requests": {"ephemeral_storage": "2Gi", "nvidia.com/gpu": 1},
        "limits": {"cpu": 2, "memory": "1Gi", "ephemeral_storage": "4Gi", "nvidia.com/gpu": 1},
    },
    kubernetes={
        "affinity": {"nodeAffinity": ON_ZONES},
        "topology_spread_constraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"team": "weather"}},
            }
        ],
        "automount_service_account_token": True,
        "env": [
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "GREETING", "value": "hello $(NODE)"},
        ],
        "env_from": [{"secretRef": {"name": "warehouse"}, "prefix": "WAREHOUSE_"}],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
        ],
        "volume_mounts": [
            {"name": "models", "mountPath": "/models", "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
        "security_context": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
        "pod_security_context": {"supplementalGroups": [2000]},
        "labels": {"cost-centre": "42"},
    },
)
def train():
    return None


@dag(dag_id="pods", staging={"size": "10Gi", "storage_class": "nfs"})
def pods():
    train()


pods()
