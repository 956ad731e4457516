"""Secrets in a stack, searched for everywhere outside the Secrets that they belong to."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart_rendering import render_text, tool
from vllm_eks.cli.preview import run_preview
from vllm_eks.pods.client_keys import stored_digest
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import StackFile, read_stack_file

ROOT = Path(__file__).parents[2]
PLANTED = {
    "huggingFaceToken": "hf_plantedTokenOfTheTest",
    "apiKey": "sk-planted-first-key",
    "secondApiKey": "sk-planted-second-key",
}
CLIENTS = {"team-a": "sk-planted-key-of-team-a", "team-b": "sk-planted-key-of-team-b"}
"""Named keys: not even a Secret has them, only digests."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "kubernetes:core/v1:Secret"


def planted_stack() -> StackFile:
    """The prod stack with every secret, and a second model whose weights are copied to S3."""
    file = read_stack_file(ROOT, "prod")
    models = json.loads(file.config["vllm-eks:models"])
    (scout,) = models.values()
    models["copied"] = {**scout, "weights": {"source": "s3"}, "revision": COMMIT, "zone": "us-west-2b"}
    config = {**file.config, "vllm-eks:models": json.dumps(models)}
    config |= {f"vllm-eks:{name}": value for name, value in PLANTED.items()}
    config |= {
        "vllm-eks:clientKeys": json.dumps(CLIENTS),
        "vllm-eks:clients": json.dumps({"team-b": {"models": ["copied"]}}),
    }
    return StackFile(
        project=file.project,
        stack=file.stack,
        config=config,
        secret_keys=[f"vllm-eks:{name}" for name in (*PLANTED, "clientKeys")],
    )


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(ROOT, planted_stack())


def forms(secret: str) -> set[str]:
    """Return the secret in plain text and in all encodings it could have."""
    coded = b64encode(secret.encode()).decode().rstrip("=")
    return {secret, coded, secret[::-1]}


def holds(text: str) -> list[str]:
    """Return the names of the secrets in a text."""
    planted = {**PLANTED, **CLIENTS}
    return [name for name, secret in planted.items() if any(form in text for form in forms(secret))]


def test_only_kubernetes_secrets_hold_them_and_as_secrets(recording: Recording) -> None:
    holders = {
        one.name: (one.type, holds(str(one.inputs))) for one in recording.registrations if holds(str(one.inputs))
    }
    assert {type_ for type_, _ in holders.values()} == {SECRET}
    assert {name: names for name, (_, names) in holders.items()} == {
        "llama-4-scout-api-key": ["apiKey", "secondApiKey"],
        "copied-api-key": ["apiKey", "secondApiKey"],
        "llama-4-scout-hugging-face-token": ["huggingFaceToken"],
        "copied-copy-hugging-face-token": ["huggingFaceToken"],
    }
    # The engine stores values in plain text unless they are marked as secret.
    assert all(one.secret_paths == {"stringData"} for one in recording.registrations if one.name in holders)


def test_named_keys_are_digests_and_each_model_has_its_own(recording: Recording) -> None:
    held = {
        name: next(one for one in recording.registrations if one.name == f"{name}-api-key").inputs["stringData"]
        for name in ("llama-4-scout", "copied")
    }
    assert {name: sorted(content) for name, content in held.items()} == {
        "llama-4-scout": ["apiKey", "client.team-a", "denied.team-b", "secondApiKey"],
        "copied": ["apiKey", "client.team-a", "client.team-b", "secondApiKey"],
    }
    digests = [content["client.team-a"] for content in held.values()]
    assert digests == [stored_digest(f"vllm-{name}", CLIENTS["team-a"]) for name in held]
    assert not any(digest.rpartition(":")[2] in str(recording.outputs) for digest in digests)


def test_no_output_shows_them(recording: Recording) -> None:
    assert holds(str(recording.outputs)) == []


@pytest.mark.skipif(tool("helm") is None, reason="helm is not installed")
def test_neither_values_nor_anything_that_the_chart_makes_holds_them(recording: Recording) -> None:
    releases = [one for one in recording.registrations if one.name.endswith("-release")]
    assert len(releases) == 2
    for release in releases:
        assert holds(json.dumps(release.inputs["values"])) == []
        rendered = render_text(release.inputs["values"], release=release.inputs["name"])
        assert holds(rendered) == []
        assert not [found for found in yaml.safe_load_all(rendered) if found and found["kind"] == "Secret"]


def test_no_command_line_holds_them(recording: Recording) -> None:
    (job,) = [one for one in recording.registrations if one.type == "kubernetes:batch/v1:Job"]
    (container,) = job.inputs["spec"]["template"]["spec"]["containers"]
    assert holds(str(container)) == []
    assert "--token-file" in container["command"]


def test_the_preview_prints_none_of_them(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Keys of clients in plain text are refused (tests/unit/config/test_client_keys.py).
    keys = {name: {"secure": "v1:abc"} for name in CLIENTS}
    stack: dict[str, Any] = {"config": {**planted_stack().config, "vllm-eks:clientKeys": json.dumps(keys)}}
    stack["config"] = {key: _decoded(value) for key, value in stack["config"].items()}
    (folder / "Pulumi.planted.yaml").write_text(yaml.safe_dump(stack))
    monkeypatch.chdir(ROOT)
    (folder / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    run_preview(folder, "planted")
    said = capfd.readouterr()
    assert "copied" in said.out
    assert holds(said.out + said.err) == []


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
