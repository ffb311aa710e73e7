"""Generic asyncio pieces: work queue, backoff, task scopes, logs. Knows neither Kubernetes nor ClusterSync."""
