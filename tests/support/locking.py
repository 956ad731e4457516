"""Locks a model from the test's Hub, or returns the error message."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.fakes.hub_server import TOKEN, Hub
from vllm_eks.cli.lock import run_lock
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.known_models import LockedModel


def locked(hub: Hub, folder: Path, *, token: str | None = None, revision: str | None = None) -> LockedModel:
    run_lock("org/model", revision, folder=folder, api=HfApi(endpoint=hub.url, token=token or False))
    return LockedModel.from_json(json.loads((folder / "org--model.json").read_text()), where="org--model.json")


def refused(hub: Hub, folder: Path, **how: Any) -> str:
    """Return the message. Nothing may have been written."""
    with pytest.raises(WrongQuestion) as caught:
        locked(hub, folder, **how)
    assert list(folder.iterdir()) == []
    assert TOKEN not in str(caught.value)
    return str(caught.value).replace(hub.url, "HUB")
