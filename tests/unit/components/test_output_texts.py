"""The described outputs of a stack match the exports."""

import ast
from pathlib import Path

import pulumi

from components.output_texts import MODEL_OUTPUTS, STACK_OUTPUTS
from components.serving.access_outputs import access_outputs
from components.stack_outputs import plan_sizes
from tests.support.plans import SCOUT, planned
from vllm_eks.planner.search.gpu_nodes import GpuNodes

ROOT = Path(__file__).parents[3]


def test_every_export_of_the_program_is_described_and_no_other() -> None:
    calls = (node for node in ast.walk(ast.parse((ROOT / "__main__.py").read_text())) if isinstance(node, ast.Call))
    exported = [ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "pulumi.export"]

    assert exported == list(STACK_OUTPUTS)


def test_every_output_of_a_model_is_described_and_no_other() -> None:
    nodes = GpuNodes(plan=planned(SCOUT, pipeline_parallel_size=2), zones=("us-west-2a",))
    access = access_outputs(
        "scout", namespace="n", port=1, api_key_secret=pulumi.Output.from_input("s"), further_names=["gpt-4o"]
    )

    assert [*plan_sizes(nodes), *access, "frontDoor"] == list(MODEL_OUTPUTS)
