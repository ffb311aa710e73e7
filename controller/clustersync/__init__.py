"""ClusterSync: exact, owned replicas of Secrets and ConfigMaps in every namespace a selector matches."""

from importlib.metadata import version

__version__ = version("clustersync")
