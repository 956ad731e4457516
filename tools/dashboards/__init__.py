"""Grafana dashboards as code. `make generate` writes them to vllm_eks/data/dashboards."""
