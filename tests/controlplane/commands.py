"""Command lines of the three programs, and the audit policy; no process is started here."""

import json
from pathlib import Path

ISSUER = "https://kubernetes.default.svc.cluster.local"

# What makes namespaces terminate, quotas refuse, owners' dependents go and service accounts get tokens; nothing that runs pods.
CONTROLLERS = (
    "namespace-controller",
    "resourcequota-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "clusterrole-aggregation-controller",
)

MANAGER_USER = "system:kube-controller-manager"

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,
    "rules": [
        # A cluster's own housekeeping would be most of the log: 50 deletions for each namespace that ends.
        {"level": "None", "users": ["system:apiserver", MANAGER_USER]},
        {
            "level": "Metadata",
            "resources": [
                {"group": "", "resources": ["secrets", "configmaps", "events", "namespaces"]},
                {"group": "coordination.k8s.io", "resources": ["leases"]},
                {"group": "clustersync.io"},
            ],
        },
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}


def etcd(program: Path, directory: Path, port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}"
    return [
        str(program),
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:0",
        "--socket-reuse-port",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(program: Path, directory: Path, port: int, etcd_port: int, *, audit: bool) -> list[str]:
    return [
        str(program),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--permit-port-sharing",
        "--endpoint-reconciler-type=none",  # the others refuse to advertise a loopback address
        "--authorization-mode=RBAC",
        f"--client-ca-file={directory / 'ca.crt'}",
        f"--tls-cert-file={directory / 'apiserver.crt'}",
        f"--tls-private-key-file={directory / 'apiserver.key'}",
        f"--cert-dir={directory}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={directory / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={directory / 'service-accounts.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--profiling=false",
        *(_audit(directory) if audit else []),
    ]


def kube_controller_manager(program: Path, directory: Path) -> list[str]:
    return [
        str(program),
        f"--kubeconfig={directory / 'controller-manager.kubeconfig'}",
        f"--controllers={','.join(CONTROLLERS)}",
        f"--root-ca-file={directory / 'ca.crt'}",
        f"--service-account-private-key-file={directory / 'service-accounts.key'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        # The defaults (20 requests a second, resync after 5 minutes) would be what the tests wait for.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        "--concurrent-namespace-syncs=20",
        "--concurrent-resource-quota-syncs=10",
        "--namespace-sync-period=30s",
        "--resource-quota-sync-period=10s",
    ]


def _audit(directory: Path) -> list[str]:
    policy = directory / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY))
    return [
        f"--audit-policy-file={policy}",
        f"--audit-log-path={directory / 'audit.log'}",
        "--audit-log-mode=blocking",  # a line is in the file before its request's handler ends: what a fence rests on
        "--audit-log-maxsize=0",  # no rotation: marks are offsets in one file
    ]
