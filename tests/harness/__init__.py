"""What integration tests, demo and bench share: the controller as a process, objects as builders, and waiting without sleeping."""

from tests.harness.eventually import eventually
from tests.harness.installation import grant, install_crd, service_account_kubeconfig
from tests.harness.objects import Objects, clustersync, config_map, namespace, registration, secret
from tests.harness.process import ControllerProcess

__all__ = [
    "ControllerProcess",
    "Objects",
    "clustersync",
    "config_map",
    "eventually",
    "grant",
    "install_crd",
    "namespace",
    "registration",
    "secret",
    "service_account_kubeconfig",
]
