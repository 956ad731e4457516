"""All errors of the Hub, the network or the user in `vllm-eks lock`: one clear message, and nothing is written."""

import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.fakes.hub_server import CONFIG, FILES, TOKEN, bf16, repository, safetensors, serving
from tests.support.locking import locked, refused
from vllm_eks.cli.lock import run_lock
from vllm_eks.errors import WrongQuestion
from vllm_eks.hub import repository as hub_repository
from vllm_eks.hub.repository import HubRepository
from vllm_eks.planner.models.config_json import parse_config


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_repository, "PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"private": True},
            "HUB has no public model org/model: check the name; for a private or gated model set HF_TOKEN",
        ),
        ({"missing": True}, "HUB has no model org/model, or this account has no access: check the name"),
        (
            {"status": {"api": 401}},
            "HUB does not accept the token in HF_TOKEN: create a new one at HUB/settings/tokens",
        ),
        ({"status": {"api": 503}}, "HUB answered 503 for model information of org/model: try again later"),
        (
            {"needs_token": True},
            "org/model is gated: request access at HUB/org/model, then set HF_TOKEN to a token of "
            "an account with access",
        ),
        (
            {"status": {"config.json": 403}},
            "HUB denies this token access to config.json of org/model: give it read access to the repository",
        ),
        ({"status": {FILES[1]: 500}}, f"HUB answered 500 for {FILES[1]} of org/model: try again later"),
        ({"files": {"config.json": b"[]"}}, "org/model: config.json is not a JSON object"),
        (
            {"files": {"config.json": json.dumps({**CONFIG, "hidden_size": None}).encode()}},
            "org/model: config.json needs a whole number above 0 for hidden_size",
        ),
        (
            {"files": {"model.safetensors.index.json": b"{}"}},
            "org/model: model.safetensors.index.json has no weight_map",
        ),
        (
            {"files": {FILES[0]: b"{not a length}" + b" " * 99}},
            f"org/model: {FILES[0]} is not a safetensors file: its header would have 7791334147371265659 bytes",
        ),
        (
            {"files": {FILES[0]: (9).to_bytes(8, "little") + b"not json!" + b" " * 99}},
            f"org/model: the header of {FILES[0]} is not a safetensors header",
        ),
        (
            {"files": {FILES[0]: (999).to_bytes(8, "little") + b"{}"}},
            f"org/model: {FILES[0]} ends after 10 bytes, within its header",
        ),
        (
            {"files": {FILES[0]: safetensors({"model.layers.0.mlp.gate_proj.weight": {"dtype": "F3", "shape": [2]}})}},
            "tensor model.layers.0.mlp.gate_proj.weight has dtype F3, which the planner does not support",
        ),
        (
            {"files": {FILES[1]: safetensors({"lm_head.weight": bf16(256, 64)})}},
            "the files have no tensors for layer 2: check that all files are there",
        ),
        (
            {"cuts_off": frozenset({FILES[0]})},
            f"HUB cannot be reached, or lost the connection, for {FILES[0]} of org/model "
            "(RemoteProtocolError): check the network and HF_ENDPOINT",
        ),
    ],
)
def test_an_error_is_one_clear_message_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with serving(repository(**changes)) as hub:
        token = TOKEN if "status" in changes else None
        assert refused(hub, tmp_path, token=token) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "org/model has no config.json: only models in the Transformers format are supported"),
        (
            "model.safetensors.index.json",
            "org/model has neither model.safetensors.index.json nor model.safetensors "
            "(it has .bin, .safetensors): the planner reads only safetensors. As an estimate, plan a folder with its "
            "config.json",
        ),
    ],
)
def test_a_missing_file_of_a_repository_is_reported(tmp_path: Path, name: str, message: str) -> None:
    hub = repository(files={"pytorch_model.bin": b""})
    del hub.files[name]
    with serving(hub):
        assert refused(hub, tmp_path) == message


def test_a_revision_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        assert refused(hub, tmp_path, revision="v9") == "org/model has no revision 'v9' at HUB"


def test_an_unknown_architecture_is_locked_with_all_fields_about_sizes(tmp_path: Path) -> None:
    novel = {**CONFIG, "architectures": ["NovelForCausalLM"], "ffn_dim": 96, "eos_token_id": 2, "id2label": {"0": "a"}}
    with serving(repository(files={"config.json": json.dumps(novel).encode()})) as hub:
        found = locked(hub, tmp_path)
    assert found.config["ffn_dim"] == 96
    assert not {"eos_token_id", "id2label"} & found.config.keys()
    assert parse_config(found.config, where="novel").confidence == "estimated"


def test_a_config_that_the_planner_cannot_read_is_refused(tmp_path: Path) -> None:
    config = json.dumps({**CONFIG, "architectures": ["NovelForCausalLM"], "num_wise_experts": 64}).encode()
    with serving(repository(files={"config.json": config})) as hub:
        message = refused(hub, tmp_path)
    assert message == "org/model: config.json has num_wise_experts, but no number of experts that the planner knows"


def test_a_disk_that_fills_while_it_is_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with serving(repository()) as hub, pytest.raises(OSError, match="No space left on device"):
        run_lock("org/model", None, folder=tmp_path, api=HfApi(endpoint=hub.url, token=False))
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = HubRepository._stream

    def impatient(self: HubRepository, url: str, *asked: Any) -> bytes:
        seconds = 0.2 if url.endswith(FILES[0]) else 60
        return stream(replace(self, timeout_seconds=seconds), url, *asked)

    monkeypatch.setattr(HubRepository, "_stream", impatient)
    with serving(repository(silent=frozenset({FILES[0]}))) as hub:
        message = refused(hub, tmp_path)
    assert message == f"HUB did not answer in time for {FILES[0]} of org/model: try again later"
    assert sum(path == f"/cdn/{FILES[0]}" for path, *_ in hub.asked) == 1, "there are no three attempts"


def test_a_slow_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every look at the clock is ten seconds later, and some of the file's bytes have arrived each time.
    seconds = itertools.count(step=10.0)
    monkeypatch.setattr(hub_repository, "time", SimpleNamespace(monotonic=lambda: next(seconds), sleep=time.sleep))
    with serving(repository(drips=frozenset({FILES[0]}))) as hub:
        message = refused(hub, tmp_path)
    assert message == f"HUB did not answer in time for {FILES[0]} of org/model: try again later"


def test_an_unreachable_server_is_reported(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        pass
    assert refused(hub, tmp_path) == (
        "HUB cannot be reached, or lost the connection, for model information of org/model (ConnectError): "
        "check the network and HF_ENDPOINT"
    )


def test_an_invalid_name_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WrongQuestion, match=r"'a/b/c' is not a Hub model ID: use <organization>/<name>"):
        run_lock("a/b/c", None, folder=tmp_path, api=HfApi(endpoint="http://127.0.0.1:9"))


def test_the_command_honours_hf_endpoint_and_hf_token_and_prints_one_line(tmp_path: Path) -> None:
    with serving(repository(needs_token=True, status={FILES[0]: 500})) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path)}
        program = [sys.executable, "-c", "from vllm_eks.cli.main import main; main()", "lock", "org/model"]
        found = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"vllm-eks: {hub.url} answered 500 for {FILES[0]} of org/model: try again later\n"
    assert f"Bearer {TOKEN}" in {authorization for _, _, authorization in hub.asked}
