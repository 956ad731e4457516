"""Makes tests/data/monitoring/metrics.json: the metrics and labels that each exporter has."""
