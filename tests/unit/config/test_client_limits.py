"""Wrong limits of named clients, each with its exact report."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.stack_config import report_of, write_stack

SET = "run pulumi config set --secret --path clientKeys"
SECURE = {"secure": "v1:abc"}
BAD_NAME = "use lower-case letters, digits and -, beginning with a letter and not ending with -, at most 40 characters"

WRONG_LIMITS: dict[str, tuple[Any, str]] = {
    "text": ("team-a", "clients: 'team-a' is text, not a section: put a client's name below it"),
    "no value": ({"team-a": None}, "clients.team-a: has no value after the colon: set one, or remove the key"),
    "a list of models": (
        {"team-a": ["qwen3"]},
        'clients.team-a: ["qwen3"] is a list, not a section: put keys and values below it',
    ),
    "one model": (
        {"team-a": {"models": "qwen3"}},
        "clients.team-a.models: 'qwen3' is text, not a list: use [qwen3]",
    ),
    "no model": (
        {"team-a": {"models": []}},
        "clients.team-a.models: is empty, so the client could use no model: list one, or remove the client's key",
    ),
    "twice": (
        {"team-a": {"models": ["qwen3", "qwen3"]}},
        "clients.team-a.models[1]: 'qwen3' is listed twice: remove one",
    ),
    "misspelled": (
        {"team-a": {"models": ["qwen3", "qwen"]}},
        "clients.team-a.models[1]: 'qwen' is not a model of this stack: did you mean qwen3?",
    ),
    "another model": (
        {"team-a": {"models": ["llama"]}},
        "clients.team-a.models[0]: 'llama' is not a model of this stack: the models are qwen3",
    ),
    "unknown key": ({"team-a": {"model": ["qwen3"]}}, "clients.team-a.model: is not a setting: did you mean models?"),
    "bad name": ({"Team": {}}, f"clients.Team: 'Team' is not a valid client name: {BAD_NAME}"),
    "no key": (
        {"team-b": {"models": ["qwen3"]}},
        f"clientKeys.team-b: is missing, but clients.team-b has limits for this client: {SET}.team-b, or remove its "
        "limits",
    ),
    "a secret": (
        {"team-a": SECURE},
        "clients: has a secure: value, which would be stored in plaintext in the state: remove it; the only secrets "
        "are vllm-eks:huggingFaceToken, vllm-eks:apiKey, vllm-eks:secondApiKey, vllm-eks:clientKeys, set by pulumi "
        "config set --secret",
    ),
}


@pytest.mark.parametrize("case", WRONG_LIMITS)
def test_wrong_limits_get_exactly_their_report(folder: Path, case: str) -> None:
    limits, text = WRONG_LIMITS[case]
    write_stack(folder, clientKeys={"team-a": SECURE}, clients=limits)
    assert report_of(folder, "test").splitlines()[1:] == [f"  vllm-eks:{text}"]
