"""Models that pay for nodes of their own where fewer would hold them all."""

from tests.support.plans import LLAMA_8B, QWEN_8B, planned
from vllm_eks.planner.search.fleet import shared_node_warnings
from vllm_eks.planner.search.gpu_nodes import GpuNodes


def nodes(model: str, instance: str = "g5.12xlarge", *, zone: str = "us-west-2a", **requested: object) -> GpuNodes:
    parked = bool(requested.pop("parked", False))
    return GpuNodes(plan=planned(model, instance, **requested), zones=(zone,), parked=parked)


def test_two_models_of_half_a_node_each_get_a_warning_with_both_prices() -> None:
    fleet = {"chat": nodes(QWEN_8B, tensor_parallel_size=2), "code": nodes(LLAMA_8B, tensor_parallel_size=2)}
    ((names, text),) = shared_node_warnings(fleet)
    assert names == ("chat", "code")
    assert text == (
        "chat and code use separate nodes, 2 x g5.12xlarge ($11.34/h) with 4 of 8 GPUs idle, although 1 x "
        "g5.12xlarge ($5.67/h) would hold them: models do not share nodes. Choose a type with fewer GPUs, or more "
        "replicas"
    )


def test_models_that_could_not_share_a_node_get_no_warning() -> None:
    half = nodes(QWEN_8B, tensor_parallel_size=2)
    for other in (
        nodes(LLAMA_8B),
        nodes(LLAMA_8B, tensor_parallel_size=2, replicas=2),
        nodes(LLAMA_8B, zone="us-west-2b", tensor_parallel_size=2),
        nodes(LLAMA_8B, "g6.12xlarge", tensor_parallel_size=2),
        nodes(LLAMA_8B, tensor_parallel_size=2, parked=True),
    ):
        assert list(shared_node_warnings({"chat": half, "code": other})) == []
    assert list(shared_node_warnings({"chat": half})) == []
