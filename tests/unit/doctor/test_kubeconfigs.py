"""The doctor with all kinds of kubeconfigs: one clear reason within seconds, never a traceback or a token."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_server import kubernetes_stub, write_kubeconfig
from vllm_eks.doctor import api
from vllm_eks.doctor.api import KubernetesApi, UnreadableAnswerError

TOKEN = "hunter2-planted"


def config(**user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }


def plugin(path: Path, script: str) -> dict[str, Any]:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": str(path), "args": [], "env": None}


def reported(file: Path | None, context: str | None = None) -> str:
    """Make a call, and return why there is no answer."""
    with pytest.raises(UnreadableAnswerError) as caught:
        KubernetesApi(file, context).text("/version")
    said = str(caught.value)
    assert "\n" not in said
    assert TOKEN not in said
    return said


BAD: dict[str, tuple[bytes, str]] = {
    "a list of users": (b"root:x:0:0:root:/root:/bin/bash\nbin:x:1:1\n", "no usable kubeconfig ("),
    "broken YAML": (b"apiVersion: v1\nusers:\n- {token: hunter2-planted\n  x: [", "no usable kubeconfig ("),
    "a tab": (b"apiVersion: v1\n\tkind: Config\n", "is not valid YAML, line 2"),
    "binary": (bytes(range(256)) * 4, "no usable kubeconfig ("),
    "Latin-1": ("name: M\xfcller".encode("latin-1"), "no usable kubeconfig ("),
    "empty": (b"", "no usable kubeconfig ("),
    "a number": (b"42", "no usable kubeconfig ("),
    "a list": (b"- 1\n- 2\n", "no usable kubeconfig ("),
    "JSON of another kind": (b'{"kind": "Pod", "apiVersion": "v1"}', "no usable kubeconfig ("),
    "null where lists are due": (
        b"clusters: null\nusers: null\ncontexts: null\ncurrent-context: c\n",
        "no usable kube",
    ),
    "a web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "no usable kubeconfig ("),
    "nesting without an end": (b"[" * 600, "no usable kubeconfig ("),
    "a context without its cluster": (
        json.dumps({**config(token=TOKEN), "clusters": []}).encode(),
        "no usable kubeconfig (",
    ),
    "a file of a certificate that is not there": (
        json.dumps(config(**{"client-certificate": "/none/c", "client-key": "/none/k"}))
        .replace("http:", "https:")
        .encode(),
        "no usable kubeconfig (",
    ),
    "a token of two lines": (
        json.dumps(config(token=f"{TOKEN}\nx")).encode(),
        "the kubeconfig has an invalid token or server",
    ),
    "a server that is none": (
        json.dumps(config()).replace("http://127.0.0.1:9", "not a server").encode(),
        "no ",
    ),
    "a server that refuses": (
        json.dumps(config(token=TOKEN)).encode(),
        "check the address, and the tunnel if there is one",
    ),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_an_invalid_kubeconfig_has_one_reason(tmp_path: Path, text: bytes, said: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_bytes(text)
    assert said in reported(file)


def test_a_folder_a_missing_file_and_a_missing_context(tmp_path: Path) -> None:
    assert reported(tmp_path).startswith("no usable kubeconfig (")
    assert reported(tmp_path / "none").endswith(api.HOW_TO_GET_ONE)
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config(token=TOKEN)))
    assert "nosuch" in reported(file, "nosuch")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 255", "the kubeconfig's command gave no credentials ("),
        ("echo 'Error loading SSO Token' >&2; exit 1", "run it by hand"),
        ("echo no JSON", "the kubeconfig's command gave no credentials ("),
        ("echo '{}'", "the kubeconfig's command gave no credentials ("),
    ],
)
def test_a_command_that_gives_no_credentials_is_reported(tmp_path: Path, script: str, said: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config(exec=plugin(tmp_path / "plugin", script))))
    assert said in reported(file)


def test_a_command_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    missing = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "/none/aws", "args": []}
    file.write_text(json.dumps(config(exec=missing)))
    assert "the kubeconfig's command gave no credentials (" in reported(file)


def test_a_command_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "COMMAND_SECONDS", 0.05)
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config(exec=plugin(tmp_path / "plugin", "exec sleep 20"))))
    assert reported(file) == "the kubeconfig's command did not end within 0.05 s: run it by hand"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "use the stack's profile or role"),
        (403, "docs/how-to/doctor.md lists the required ones"),
        (500, "HTTP 500"),
    ],
)
def test_a_refusal_of_the_server_is_reported(tmp_path: Path, status: int, said: str) -> None:
    with kubernetes_stub() as stub:
        stub.status = status
        assert said in reported(write_kubeconfig(tmp_path / "kubeconfig", stub.port))


def test_a_server_that_is_not_kubernetes_is_reported(tmp_path: Path) -> None:
    with kubernetes_stub() as stub:
        stub.logs["scout-0"] = "<html>Sign in</html>"
        cluster = KubernetesApi(write_kubeconfig(tmp_path / "kubeconfig", stub.port), None)
        with pytest.raises(UnreadableAnswerError, match="not a Kubernetes API: check the kubeconfig's server"):
            cluster.object("/api/v1/namespaces/x/pods/scout-0/log")
