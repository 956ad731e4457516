"""Other names that clients may send for a model."""

from pathlib import Path

import pulumi
import pytest

from components.serving.access_outputs import access_outputs
from components.serving.helm_values import release_values
from tests.support.chart_rendering import Rendered, model_values, render_text, tool
from tests.support.plans import QWEN_8B, planned
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.search.gpu_nodes import GpuNodes

NAMES = ["Qwen/Qwen3-8B", "gpt-4o", "qwen3:8b"]


def test_further_names_reach_the_chart_s_values(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(servedNames=NAMES)})
    settings = load_stack(folder, "test").settings
    serving = settings.models["qwen3"].serving_spec("qwen3", settings.images)
    values = release_values(GpuNodes(plan=planned(QWEN_8B), zones=("us-west-2a",)), serving)
    assert values["model"]["servedName"] == "qwen3"
    assert values["model"]["furtherNames"] == NAMES


@pytest.mark.skipif(tool("helm") is None, reason="helm is not installed")
def test_the_model_s_key_is_the_first_name_and_used_by_the_hook_job() -> None:
    named = {"id": "org/model", "revision": None, "servedName": "scout", "furtherNames": NAMES}
    rendered = Rendered(render_text(model_values(model=named)))
    for role in ("leader", "worker"):
        args = rendered.container(role)["args"]
        at = args.index("--served-model-name")
        assert args[at + 1 : at + 5] == ["scout", *NAMES]
        assert args[at + 5].startswith("--")
    assert "--model=scout" in rendered.one("Job")["spec"]["template"]["spec"]["containers"][0]["args"]


def test_outputs_list_every_name(engine) -> None:
    secret = pulumi.Output.from_input("s")
    for names, reported in (((), None), (("gpt-4o",), "scout, gpt-4o")):
        outputs = engine.value(
            lambda names=names: pulumi.Output.all(
                **access_outputs("scout", namespace="n", port=1, api_key_secret=secret, further_names=names)
            )
        )
        assert outputs.get("servedNames") == reported


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (
            {"servedNames": ["gpt 4"]},
            "servedNames: 'gpt 4' is not a valid model name: use letters, digits and ._:/@-, such as gpt-4o or "
            "org/model",
        ),
        (
            {"servedNames": ["--port"]},
            "servedNames: '--port' is not a valid model name: use letters, digits and ._:/@-, such as gpt-4o or "
            "org/model",
        ),
        ({"servedNames": ["a", "a"]}, "servedNames: 'a' is listed twice: remove one"),
        ({"servedNames": "gpt-4o"}, "servedNames: 'gpt-4o' is text, not a list: use [gpt-4o]"),
        (
            {"servedNames": ["qwen3"]},
            "servedNames[0]: 'qwen3' is the model's own key, which clients can always use: remove it",
        ),
        (
            {"servedNames": ["gpt-4o", "sql"], "loraModules": {"sql": "team/sql"}},
            "servedNames[1]: 'sql' is also an adapter in loraModules: remove it, or rename the adapter",
        ),
        (
            {"loraModules": {"qwen3": "team/sql"}},
            "loraModules.qwen3: is also the model's name, so clients could not request the adapter: rename the adapter",
        ),
    ],
)
def test_ambiguous_names_are_refused(folder: Path, settings: dict, error: str) -> None:
    write_stack(folder, {"qwen3": model(**settings)})
    assert report_of(folder, "test").splitlines()[1:] == [f"  vllm-eks:models.qwen3.{error}"]
