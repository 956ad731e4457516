"""`vllm-eks lock` against a server that speaks the Hub's protocol, and misbehaves as networks and people do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, CONFIG, FILES, TOKEN, WEIGHT_PADDING, Hub, bf16, layer, repository, safetensors, serving
from huggingface_hub import HfApi

from cli import hub_repository
from cli.lock_command import run_lock
from planner.config_json import parse_config
from planner.faults import WrongQuestion
from planner.models import LockedModel, ModelFacts
from planner.weights import compute_parts


def locked(hub: Hub, folder: Path, *, token: str | None = None, revision: str | None = None) -> LockedModel:
    run_lock("org/model", revision, folder=folder, api=HfApi(endpoint=hub.url, token=token or False))
    return LockedModel(**json.loads((folder / "org--model.json").read_text()))


def refused(hub: Hub, folder: Path, **how: Any) -> str:
    """Return the message; nothing may have been written."""
    with pytest.raises(WrongQuestion) as caught:
        locked(hub, folder, **how)
    assert list(folder.iterdir()) == []
    assert TOKEN not in str(caught.value)
    return str(caught.value).replace(hub.url, "HUB")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_repository, "PAUSE_SECONDS", 0.0)


def test_a_lock_holds_the_commit_the_facts_and_the_bytes_by_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(repository(gated="auto")) as hub:
        found = locked(hub, tmp_path)
    computed = compute_parts(parse_config(CONFIG, where="x"))
    assert (found.id, found.revision, found.gated, found.weights_source) == ("org/model", COMMIT, True, "headers")
    assert found.weights_bytes == computed.total_bytes
    assert "rope_theta" not in found.config
    assert "_name_or_path" not in found.config
    assert found.sources["weights"].endswith(f"org/model at {COMMIT}")
    facts = ModelFacts(
        id=found.id, revision=found.revision, gated=found.gated, architecture=parse_config(found.config, where="x"),
        weights_source="headers", known_weights_bytes=found.weights_bytes, header_parts=found.parts,
    )  # fmt: skip
    assert facts.parts.layers == tuple(type(one)(**{**one.__dict__, "parameters": 0}) for one in computed.layers), (
        "the parts read back are the parts computed"
    )
    assert facts.weights_scale == 1.0
    assert facts.parts.parameters == computed.parameters
    printed = capsys.readouterr().out
    assert f"org/model at {COMMIT}\n" in printed
    assert "0-2" in printed


def test_weights_are_never_fetched_only_headers_even_where_ranges_are_ignored(tmp_path: Path) -> None:
    headers = 0
    for ignores in (False, True):
        with serving(repository(ignores_ranges=ignores)) as hub:
            locked(hub, tmp_path)
        asked = [(path, span) for path, span, _ in hub.asked if path.endswith(".safetensors") and "/cdn/" in path]
        assert len(asked) == 4, "length and header of two files"
        for path, span in asked:
            length = int.from_bytes(hub.files[path.removeprefix("/cdn/")][:8], "little")
            assert span in ("bytes=0-7", f"bytes=8-{7 + length}")
            headers += length
    assert headers < WEIGHT_PADDING


def test_copies_under_other_names_are_not_even_asked_for(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
    assert not [path for path, *_ in hub.asked if "consolidated" in path or "original" in path]


def test_every_request_is_of_the_one_commit_that_main_stood_for(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
    files = [path for path, *_ in hub.asked if "/resolve/" in path]
    assert files
    assert all(f"/resolve/{COMMIT}/" in path for path in files)


def test_one_file_without_an_index_is_enough(tmp_path: Path) -> None:
    hub = repository()
    whole = {"model.embed_tokens.weight": bf16(256, 64), **layer(0), **layer(1), **layer(2),
             "model.norm.weight": bf16(64), "lm_head.weight": bf16(256, 64)}  # fmt: skip
    hub.files = {"config.json": hub.files["config.json"], "model.safetensors": safetensors(whole)}
    with serving(hub):
        assert locked(hub, tmp_path).weights_bytes == compute_parts(parse_config(CONFIG, where="x")).total_bytes


def test_a_token_opens_a_gated_repository_and_is_sent_to_the_hub(tmp_path: Path) -> None:
    with serving(repository(needs_token=True, gated="manual")) as hub:
        locked(hub, tmp_path, token=TOKEN)
    assert {authorization for path, _, authorization in hub.asked if "/resolve/" in path} == {f"Bearer {TOKEN}"}
    assert TOKEN not in (tmp_path / "org--model.json").read_text()


def test_a_connection_that_breaks_once_is_tried_again(tmp_path: Path) -> None:
    with serving(repository(cuts_off=frozenset({FILES[0]}), cut_times=1)) as hub:
        locked(hub, tmp_path)


def test_a_new_commit_is_told_with_the_old_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for commit in ("a" * 40, "b" * 40):
        with serving(repository(commit=commit)) as hub:
            locked(hub, tmp_path)
    assert f"org/model at {'b' * 40} (was {'a' * 40})\n" in capsys.readouterr().out


def test_a_fault_leaves_the_lock_that_was_there(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
    before = (tmp_path / "org--model.json").read_bytes()
    with serving(repository(cuts_off=frozenset({FILES[1]}))) as hub, pytest.raises(WrongQuestion):
        locked(hub, tmp_path)
    assert (tmp_path / "org--model.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"private": True}, "HUB shows no model org/model without a token that may see it: check the name; for a "
         "private or gated model set HF_TOKEN"),
        ({"missing": True}, "HUB has no model org/model, or hides it from this account: check the name"),
        ({"status": {"api": 401}}, "HUB does not accept the token in HF_TOKEN: make a new one at HUB/settings/tokens"),
        ({"status": {"api": 503}}, "HUB answered 503 for model information of org/model: try again later"),
        ({"needs_token": True}, "org/model is gated: ask for access at HUB/org/model, then set HF_TOKEN to a token of "
         "the account that got it"),
        ({"status": {"config.json": 403}},
         "HUB forbids config.json of org/model to this token: give it read access to the repository"),
        ({"status": {FILES[1]: 500}}, f"HUB answered 500 for {FILES[1]} of org/model: try again later"),
        ({"files": {"config.json": b"[]"}}, "org/model: config.json is no JSON object"),
        ({"files": {"config.json": json.dumps({**CONFIG, "hidden_size": None}).encode()}},
         "org/model: config.json lacks a whole number above 0 for hidden_size"),
        ({"files": {"model.safetensors.index.json": b"{}"}},
         "org/model: model.safetensors.index.json has no weight_map"),
        ({"files": {FILES[0]: b"{not a length}" + b" " * 99}},
         f"org/model: {FILES[0]} is no safetensors file: its header would have 7791334147371265659 bytes"),
        ({"files": {FILES[0]: (9).to_bytes(8, "little") + b"not json!" + b" " * 99}},
         f"org/model: the header of {FILES[0]} is no safetensors header"),
        ({"files": {FILES[0]: (999).to_bytes(8, "little") + b"{}"}},
         f"org/model: {FILES[0]} ends after 10 bytes, within its header"),
        ({"files": {FILES[0]: safetensors({"model.layers.0.mlp.gate_proj.weight": {"dtype": "F3", "shape": [2]}})}},
         "tensor model.layers.0.mlp.gate_proj.weight has the dtype F3, which the planner cannot size"),
        ({"files": {FILES[1]: safetensors({"lm_head.weight": bf16(256, 64)})}},
         "the files hold no tensor of layer 2: is the repository complete?"),
        ({"cuts_off": frozenset({FILES[0]})}, f"HUB cannot be reached, or broke off, for {FILES[0]} of org/model "
         "(RemoteProtocolError): check the network and HF_ENDPOINT"),
    ],
)  # fmt: skip
def test_a_fault_is_one_clear_message_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with serving(repository(**changes)) as hub:
        token = TOKEN if "status" in changes else None
        assert refused(hub, tmp_path, token=token) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "org/model has no config.json: is it a model of transformers' form?"),
        ("model.safetensors.index.json", "org/model has neither model.safetensors.index.json nor model.safetensors "
         "(it holds .bin, .safetensors): the planner reads weights from safetensors only; a folder with its "
         "config.json can be planned from computed bytes"),
    ],
)  # fmt: skip
def test_what_a_repository_lacks_is_told(tmp_path: Path, name: str, message: str) -> None:
    hub = repository(files={"pytorch_model.bin": b""})
    del hub.files[name]
    with serving(hub):
        assert refused(hub, tmp_path) == message


def test_a_revision_that_is_not_there_is_told(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        assert refused(hub, tmp_path, revision="v9") == "org/model has no revision 'v9' at HUB"


def test_an_unknown_architecture_is_refused_by_name(tmp_path: Path) -> None:
    config = json.dumps({**CONFIG, "architectures": ["NovelForCausalLM"]}).encode()
    with serving(repository(files={"config.json": config})) as hub:
        message = refused(hub, tmp_path)
    assert message.startswith("org/model: the planner does not know the architecture NovelForCausalLM; it knows Llama")


def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_repository.open_repository, "__kwdefaults__", {"api": None, "timeout_seconds": 0.2})
    with serving(repository(silent=frozenset({FILES[0]}))) as hub:
        message = refused(hub, tmp_path)
    assert message == f"HUB did not answer in time for {FILES[0]} of org/model: try again later"


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        pass
    assert refused(hub, tmp_path) == (
        "HUB cannot be reached, or broke off, for model information of org/model (ConnectError): "
        "check the network and HF_ENDPOINT"
    )


def test_a_name_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongQuestion, match=r"'a/b/c' is no model id of the Hub: give <organization>/<name>"):
        run_lock("a/b/c", None, folder=tmp_path, api=HfApi(endpoint="http://127.0.0.1:9"))


def test_an_index_that_disagrees_and_unknown_tensors_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = repository()
    second = {**layer(2), "model.layers.2.novel.weight": bf16(4), "model.norm.weight": bf16(64),
              "lm_head.weight": bf16(256, 64)}  # fmt: skip
    hub.files[FILES[1]] = safetensors(second)
    with serving(hub):
        locked(hub, tmp_path)
    assert capsys.readouterr().err.splitlines() == [
        "warning: the index says 287,616 bytes, the headers 287,624: the headers are taken",
        "warning: 1 tensors of unknown modules count as whole on every rank: model.layers.2.novel.weight",
    ]


def test_the_command_honours_hf_endpoint_and_hf_token_and_prints_one_line(tmp_path: Path) -> None:
    with serving(repository(needs_token=True, status={FILES[0]: 500})) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path)}
        program = [sys.executable, "-c", "from cli.main import main; main()", "lock", "org/model"]
        found = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"vllm-eks: {hub.url} answered 500 for {FILES[0]} of org/model: try again later\n"
    assert f"Bearer {TOKEN}" in {authorization for _, _, authorization in hub.asked}
