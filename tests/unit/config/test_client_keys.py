"""Named keys and their limits: each wrong one with its exact report, which never shows a key."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.support.stack_config import load_stack_file, report_of, write_stack
from vllm_eks.specs.secrets import NamedKey
from vllm_eks.stack_files.read import read_stack_file
from vllm_eks.stack_files.stack_file import StackFile

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
SET = "run pulumi config set --secret --path clientKeys"
SECURE = {"secure": "v1:abc"}
RUN = f"R{SET[1:]}.team-a"
BAD_NAME = "use lower-case letters, digits and -, beginning with a letter and not ending with -, at most 40 characters"
DOTS = "not a key: a client has one key, and its name has no dots. Run pulumi config set --secret --path clientKeys"


def decrypted(folder: Path, keys: Any, **others: str) -> StackFile:
    """Return a stack's configuration as Pulumi passes it to the program: decrypted, each key as text."""
    write_stack(folder, clientKeys={"team-a": SECURE}, **dict.fromkeys(others, SECURE))
    file = read_stack_file(folder, "test")
    values = {"vllm-eks:clientKeys": json.dumps(keys), **{f"vllm-eks:{name}": text for name, text in others.items()}}
    return replace(file, config={**file.config, **values})


def report(file: StackFile) -> str:
    with pytest.raises(pulumi.RunError) as error:
        load_stack_file(file)
    return str(error.value)


def lines(text: str) -> list[str]:
    return [line.removeprefix("  vllm-eks:") for line in text.splitlines()[1:]]


# --- keys, which only Pulumi decrypts

RANDOM = "use a random key, such as the output of openssl rand -hex 24"
WRONG_KEYS: dict[str, tuple[Any, str]] = {
    "empty": ("", f"is empty. {RUN}"),
    "null": (None, f"is empty. {RUN}"),
    "short": (
        "0123456789abcde",
        f"has fewer than 16 characters, so it could be guessed: {RANDOM}. {RUN}",
    ),
    "space": (
        "0123456789 abcdef",
        f"has a space or a control character, which an HTTP header cannot carry. {RUN}",
    ),
    "tab": (
        "0123456789\tabcdef",
        f"has a space or a control character, which an HTTP header cannot carry. {RUN}",
    ),
    "delete": (
        "0123456789\x7fabcdef",
        f"has a space or a control character, which an HTTP header cannot carry. {RUN}",
    ),
    "line break at the end": (
        f"{KEY}\n",
        f"begins or ends with a space or a line break. {RUN}",
    ),
    "space at the start": (
        f" {KEY}",
        f"begins or ends with a space or a line break. {RUN}",
    ),
    "umlaut": (
        "schlüssel-0123456789",
        f"has a character that is not ASCII, which an HTTP header cannot carry. {RUN}",
    ),
    "number": (1234567890123456, f"is a number, {DOTS}.team-a"),
    "boolean": (True, f"is a boolean, {DOTS}.team-a"),
    "list": ([KEY, OTHER], f"is a list, {DOTS}.team-a"),
    "dots": ({"b": KEY}, f"is a section, {DOTS}.team-a"),
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_a_wrong_key_gets_exactly_its_report_and_is_not_shown(folder: Path, case: str) -> None:
    key, text = WRONG_KEYS[case]
    said = report(decrypted(folder, {"team-a": key, "team-b": OTHER}))
    assert lines(said) == [f"clientKeys.team-a: {text}"]
    assert OTHER not in said
    assert not isinstance(key, str) or not key.strip() or key.strip() not in said


def test_keys_of_two_clients_differ(folder: Path) -> None:
    said = report(decrypted(folder, {"team-a": KEY, "team-b": KEY, "team-c": OTHER, "team-d": KEY}))
    alike = "is the same key as clientKeys.team-a, so both would have one name in metrics: run pulumi config set"
    assert lines(said) == [
        f"clientKeys.{name}: {alike} --secret --path clientKeys.{name}, with another key"
        for name in ("team-b", "team-d")
    ]
    assert KEY not in said


@pytest.mark.parametrize("other", ["apiKey", "secondApiKey"])
def test_a_named_key_is_not_the_stacks_own_key(folder: Path, other: str) -> None:
    said = report(decrypted(folder, {"team-a": KEY}, **{other: KEY}))
    assert lines(said) == [
        f"clientKeys.team-a: is the same key as {other}, so both would have one name in metrics: run pulumi config "
        "set --secret --path clientKeys.team-a, with another key"
    ]
    assert KEY not in said


# --- names, and what is not encrypted

ONE_VALUE = f"is one value, not a map of client names and keys: run pulumi config rm clientKeys, then {SET[4:]}.NAME"
PLAIN = f"is in plain text in the stack file: {SET}.team-a, with a new key if others saw the file"
WRONG_MAPS: dict[str, tuple[dict[str, Any], str]] = {
    "plain text": ({"clientKeys": {"team-a": KEY}}, f"clientKeys.team-a: {PLAIN}"),
    "plain text beside a secret": (
        {"clientKeys": {"team-a": KEY, "team-b": SECURE}},
        f"clientKeys.team-a: {PLAIN}",
    ),
    "one secret": ({"clientKeys": SECURE}, f"clientKeys: {ONE_VALUE} for each client"),
    "text": ({"clientKeys": KEY}, f"clientKeys: {ONE_VALUE} for each client"),
    "list": ({"clientKeys": [SECURE]}, f"clientKeys: {ONE_VALUE} for each client"),
    "flat key": (
        {"vllm-eks:clientKeys.team-a": SECURE},
        "clientKeys.team-a: is one flat key, created by pulumi config set without --path: run pulumi config rm "
        "'vllm-eks:clientKeys.team-a', then pulumi config set --secret --path 'vllm-eks:clientKeys.team-a' ...",
    ),
    "flat key in plain text": (
        {"vllm-eks:clientKeys.team-a": KEY},
        "clientKeys.team-a: is one flat key, created by pulumi config set without --path: run pulumi config rm "
        "'vllm-eks:clientKeys.team-a', then pulumi config set --secret --path 'vllm-eks:clientKeys.team-a' ...",
    ),
    "capitals": (
        {"clientKeys": {"Team-A": SECURE}},
        f"clientKeys.Team-A: 'Team-A' is not a valid client name: {BAD_NAME}",
    ),
    "underscore": (
        {"clientKeys": {"team_a": SECURE}},
        f"clientKeys.team_a: 'team_a' is not a valid client name: {BAD_NAME}",
    ),
    "dot": (
        {"clientKeys": {"team.a": SECURE}},
        f"clientKeys[\"team.a\"]: 'team.a' is not a valid client name: {BAD_NAME}",
    ),
    "hyphen at the end": (
        {"clientKeys": {"team-": SECURE}},
        f"clientKeys.team-: 'team-' is not a valid client name: {BAD_NAME}",
    ),
    "line break": (
        {"clientKeys": {"team-a\n": SECURE}},
        f"clientKeys[\"team-a\\n\"]: 'team-a\\n' is not a valid client name: {BAD_NAME}",
    ),
    "41 characters": (
        {"clientKeys": {"a" * 41: SECURE}},
        f"clientKeys.{'a' * 41}: '{'a' * 41}' is not a valid client name: {BAD_NAME}",
    ),
    "default": (
        {"clientKeys": {"default": SECURE}},
        "clientKeys.default: 'default' is the metrics' name for the clients of apiKey: use another name",
    ),
    "unknown": (
        {"clientKeys": {"unknown": SECURE}},
        "clientKeys.unknown: 'unknown' is the metrics' name for requests without a valid key: use another name",
    ),
}


@pytest.mark.parametrize("case", WRONG_MAPS)
def test_a_wrong_map_of_keys_gets_exactly_its_report(folder: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, text = WRONG_MAPS[case]
    write_stack(folder, **keys)
    monkeypatch.chdir(folder)
    said = report_of(folder, "test")
    assert lines(said) == [text]
    assert KEY not in said


# --- what is accepted


def test_each_client_has_its_key_as_a_secret_and_its_limits(folder: Path) -> None:
    write_stack(folder, clientKeys={"team-b": SECURE, "team-a": SECURE}, clients={"team-a": {"models": ["qwen3"]}})
    file = read_stack_file(folder, "test")
    keys = {"team-a": KEY, "team-b": OTHER}
    file = replace(file, config={**file.config, "vllm-eks:clientKeys": json.dumps(keys)})

    async def check() -> None:
        named = load_stack_file(file).secrets.named_keys
        assert [(one.client, one.models, await one.key.future(), await one.key.is_secret()) for one in named] == [
            ("team-a", ("qwen3",), KEY, True),
            ("team-b", None, OTHER, True),
        ]

    pulumi.runtime.test(check)()


def test_offline_encrypted_keys_are_not_compared(folder: Path) -> None:
    write_stack(folder, apiKey=SECURE, clientKeys={"team-a": SECURE, "team-b": SECURE})
    assert [one.client for one in load_stack_file(read_stack_file(folder, "test")).secrets.named_keys] == [
        "team-a",
        "team-b",
    ]


def test_an_offline_preview_asks_for_the_keys_of_limited_clients(folder: Path) -> None:
    write_stack(folder, clientKeys={"team-a": SECURE}, clients={"team-a": {}, "team-b": {"models": ["qwen3"]}})
    stack = load_stack_file(read_stack_file(folder, "test").for_offline_preview())
    assert stack.open_questions == (
        "clientKeys.team-b is not set: pulumi up will fail until you run: pulumi config set --stack test --secret "
        "--path clientKeys.team-b",
    )
    assert [one.client for one in stack.secrets.named_keys] == ["team-a", "team-b"]


def test_an_offline_preview_reports_a_wrong_name_only_where_it_is(folder: Path) -> None:
    write_stack(folder, clientKeys={"team-a": SECURE}, clients={"Team_B": {}})
    said = report(read_stack_file(folder, "test").for_offline_preview())
    assert lines(said) == [f"clients.Team_B: 'Team_B' is not a valid client name: {BAD_NAME}"]


def test_an_offline_preview_still_refuses_keys_in_plain_text(folder: Path) -> None:
    write_stack(folder, clientKeys={"team-a": KEY}, clients={"team-b": {}})
    said = report(read_stack_file(folder, "test").for_offline_preview())
    assert f"clientKeys.team-a: {PLAIN}" in lines(said)


def test_without_clients_there_are_none(folder: Path) -> None:
    write_stack(folder)
    assert load_stack_file(read_stack_file(folder, "test")).secrets.named_keys == ()


def test_a_client_without_limits_may_use_every_model() -> None:
    key: Any = None
    assert NamedKey(client="team-a", key=key).may_use("qwen3")
    limited = NamedKey(client="team-a", key=key, models=("qwen3",))
    assert (limited.may_use("qwen3"), limited.may_use("llama")) == (True, False)
