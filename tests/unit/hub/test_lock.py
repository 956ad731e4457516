"""`vllm-eks lock` with a server that implements the Hub's protocol, and with typical errors."""

from pathlib import Path

import pytest

from tests.fakes.hub_server import (
    COMMIT,
    CONFIG,
    FILES,
    TOKEN,
    WEIGHT_PADDING,
    bf16,
    layer,
    repository,
    safetensors,
    serving,
)
from tests.support.locking import locked, refused
from vllm_eks.errors import WrongQuestion
from vllm_eks.hub import repository as hub_repository
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.weights import compute_parts


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
    assert found.config["rope_theta"] == 500_000.0
    assert "_name_or_path" not in found.config
    assert found.sources["weights"].endswith(f"org/model at {COMMIT}")
    facts = ModelFacts(
        id=found.id,
        revision=found.revision,
        gated=found.gated,
        architecture=parse_config(found.config, where="x"),
        weights_source="headers",
        known_weights_bytes=found.weights_bytes,
        header_parts=found.parts,
    )
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


def test_copies_under_other_names_are_not_requested(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
    assert not [path for path, *_ in hub.asked if "consolidated" in path or "original" in path]


def test_all_requests_use_the_commit_of_main(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
    files = [path for path, *_ in hub.asked if "/resolve/" in path]
    assert files
    assert all(f"/resolve/{COMMIT}/" in path for path in files)


def test_one_file_without_an_index_is_enough(tmp_path: Path) -> None:
    hub = repository()
    whole = {
        "model.embed_tokens.weight": bf16(256, 64),
        **layer(0),
        **layer(1),
        **layer(2),
        "model.norm.weight": bf16(64),
        "lm_head.weight": bf16(256, 64),
    }
    hub.files = {"config.json": hub.files["config.json"], "model.safetensors": safetensors(whole)}
    with serving(hub):
        assert locked(hub, tmp_path).weights_bytes == compute_parts(parse_config(CONFIG, where="x")).total_bytes


def test_without_a_file_list_each_file_is_requested(tmp_path: Path) -> None:
    with serving(repository(lists_files=False)) as hub:
        assert locked(hub, tmp_path).weights_bytes == 287_616
    bare = repository(lists_files=False)
    del bare.files["config.json"]
    with serving(bare):
        (tmp_path / "org--model.json").unlink()
        assert (
            refused(bare, tmp_path)
            == "org/model has no config.json: only models in the Transformers format are supported"
        )


def test_a_file_of_the_index_that_is_missing_is_reported(tmp_path: Path) -> None:
    hub = repository()
    del hub.files[FILES[1]]
    with serving(hub):
        assert refused(hub, tmp_path) == f"org/model has no {FILES[1]} at HUB"


def test_a_token_opens_a_gated_repository_and_is_sent_to_the_hub(tmp_path: Path) -> None:
    with serving(repository(needs_token=True, gated="manual")) as hub:
        locked(hub, tmp_path, token=TOKEN)
    assert {authorization for path, _, authorization in hub.asked if "/resolve/" in path} == {f"Bearer {TOKEN}"}
    assert TOKEN not in (tmp_path / "org--model.json").read_text()


def test_a_connection_that_breaks_once_is_tried_again(tmp_path: Path) -> None:
    with serving(repository(cuts_off=frozenset({FILES[0]}), cut_times=1)) as hub:
        locked(hub, tmp_path)


def test_a_new_commit_is_reported_with_the_old_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for commit in ("a" * 40, "b" * 40):
        with serving(repository(commit=commit)) as hub:
            locked(hub, tmp_path)
    assert f"org/model at {'b' * 40} (was {'a' * 40})\n" in capsys.readouterr().out


def test_the_same_commit_again_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
        before = (tmp_path / "org--model.json").read_bytes()
        locked(hub, tmp_path)
    assert (tmp_path / "org--model.json").read_bytes() == before
    assert "(was" not in capsys.readouterr().out


def test_a_response_with_the_whole_file_is_cut(tmp_path: Path) -> None:
    hub = repository(ignores_ranges=True)
    hub.files[FILES[0]] += b"w" * 64_000_000
    with serving(hub):
        locked(hub, tmp_path)
    assert hub.sent_bytes < 1_000_000, "answers that came through whole"


def test_an_error_keeps_the_previous_lock(tmp_path: Path) -> None:
    with serving(repository()) as hub:
        locked(hub, tmp_path)
    before = (tmp_path / "org--model.json").read_bytes()
    with serving(repository(cuts_off=frozenset({FILES[1]}))) as hub, pytest.raises(WrongQuestion):
        locked(hub, tmp_path)
    assert (tmp_path / "org--model.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_index_that_disagrees_and_unknown_tensors_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = repository()
    second = {
        **layer(2),
        "model.layers.2.novel.weight": bf16(4),
        "model.norm.weight": bf16(64),
        "lm_head.weight": bf16(256, 64),
    }
    hub.files[FILES[1]] = safetensors(second)
    with serving(hub):
        locked(hub, tmp_path)
    assert capsys.readouterr().err.splitlines() == [
        "warning: the index has 287,616 bytes and the headers 287,624: using the headers",
        "warning: 1 tensors of unknown modules are counted in full on every rank: model.layers.2.novel.weight",
    ]
