"""`config/schema.json` and the loader: they accept the same files, and errors that one file shows are refused."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import BaseModel

from config.sections import parse_section
from config.settings.base import ABSENT
from config.stack_keys import PROVIDER_KEYS, SECTION_KEYS
from tests.support.stack_file_errors import good_config
from tests.support.wrong_files import ELSEWHERE, MODEL
from tools.reference.settings_schema import settings_schema
from tools.reference.stack_schema import section_schema

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "config" / "schema.json").read_text())
VALIDATOR = Draft7Validator(SCHEMA)
SHIPPED = sorted([*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples").glob("*.yaml")])
WRONG = ROOT / "tests" / "data" / "wrong_stacks"
CASES = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in WRONG.glob("Pulumi.*.yaml"))

NEED_MORE_THAN_THE_FILE = {
    "efa-beside-another-card",
    "efa-where-there-is-none",
    "gated-without-token",
    "images-for-a-text-model",
    "more-sequences-than-tokens",
    "planner-flags",
    "unknown-instance-type",
    "unknown-model",
}
"""Errors that need the catalogue, the models' facts or vLLM's tables."""
NEED_TWO_KEYS = {
    "log-retention-alone",
    "arns-of-another-partition",
    "block-and-placement-group",
    "block-of-a-g-type",
    "block-without-id",
    "endpoint-certificate-of-another-partition",
    "endpoint-certificate-of-another-region",
    "endpoint-hostname-outside-the-zone",
    "endpoint-hostname-too-long",
    "endpoint-hostname-twice",
    "endpoint-hostname-without-an-endpoint",
    "endpoint-open-without-certificate-or-ranges",
    "endpoint-public-subnets-are-private",
    "endpoint-public-subnets-missing",
    "endpoint-public-subnets-of-a-new-network",
    "endpoint-public-subnets-of-an-internal-one",
    "endpoint-public-subnets-twice",
    "endpoint-public-subnets-wrong",
    "endpoint-ranges-inside-each-other",
    "endpoint-ranges-private",
    "endpoint-two-accounts",
    "endpoint-web-acl-of-another-region",
    "endpoint-without-a-controller",
    "existing-cluster-in-a-new-network",
    "existing-cluster-of-another-version",
    "existing-cluster-with-a-new-one-s-keys",
    "existing-subnet-of-two-zones",
    "existing-tags-without-zones",
    "existing-with-a-new-network-s-keys",
    "existing-zone-of-another-region",
    "existing-zones-twice",
    "observability-existing-cluster",
    "observability-existing-prometheus",
    "observability-keys-of-others",
    "observability-managed-region",
    "observability-other-version",
    "observability-without-prometheus",
    "observability-workspace",
    "placement-group-alone",
    "replicas-too-few-for-zones",
    "replicas-uneven",
    "reservation-and-spot",
    "reservation-and-zones",
    "version-without-pins",
    "zone-not-in-network",
    "zones-not-in-network",
    "zones-of-another-region",
}
"""Errors about two values that conflict. The loader reports them better than a schema could."""
FORMS_OF_THE_LOADER = (
    *("Qwen/Qwen4", "is not a locked model", "m5.large", "is not in the catalogue", "data type for the KV cache"),
    *("is a shortened commit", "did you mean hermes?", "not a reasoning parser", "is not a valid adapter name"),
    *("is also the model's name", "is not a rank", "would show a secret", "is one item: split it"),
    *("is a private range", "has invalid characters", "60 tags are too many", "has no Chart.yaml"),
    "is not a valid path",
)
"""The wrong values of `tests/support/wrong_files.py` that only the loader refuses, by their message."""


def test_the_schema_is_a_valid_json_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_stack_file_is_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(path.read_text()))] == []


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_stack_file_is_refused_if_the_file_alone_shows_it(case: str) -> None:
    document = yaml.safe_load((WRONG / f"Pulumi.{case}.yaml").read_text())

    assert VALIDATOR.is_valid(document) == (case in NEED_MORE_THAN_THE_FILE | NEED_TWO_KEYS)


@pytest.mark.parametrize(("key", "value", "text"), MODEL, ids=[f"{n}-{case[0][:24]}" for n, case in enumerate(MODEL)])
def test_a_wrong_value_of_a_model_is_refused(key: str, value: Any, text: str) -> None:
    config = good_config()
    config["vllm-eks:models"]["qwen3"][key] = value

    assert VALIDATOR.is_valid({"config": config}) == needs_the_loader(text)


@pytest.mark.parametrize(("key", "value", "text"), ELSEWHERE, ids=[f"{n}-{c[0][:30]}" for n, c in enumerate(ELSEWHERE)])
def test_a_wrong_value_elsewhere_is_refused(key: str, value: Any, text: str) -> None:
    assert VALIDATOR.is_valid({"config": {**good_config(), key: value}}) == needs_the_loader(text)


def needs_the_loader(text: str) -> bool:
    return any(form in text for form in FORMS_OF_THE_LOADER)


@pytest.mark.parametrize(
    "change",
    [
        {"vllm-eks:apiKey": {"secure": "v1:abc"}, "vllm-eks:huggingFaceToken": "hf_plain"},
        {"apiKey": {"secure": "v1:abc"}},
        {"vllm-eks:tags": None, "vllm-eks:images": ""},
        {"vllm-eks:tags": '{"team": "ml"}'},
        {"aws:endpoints": [{"ec2": "http://localhost:1"}], "kubernetes:context": "x", "other:key": 1},
        {"aws:assumeRoles": [{"roleArn": "arn:aws:iam::123456789012:role/deploy"}]},
        {"vllm-eks:models": '{"q": {"model": "Qwen/Qwen3-8B", "instanceType": "g5.12xlarge", "zone": "us-west-2a"}}'},
    ],
)
def test_every_spelling_that_the_loader_accepts_is_valid(change: dict[str, Any]) -> None:
    document = {"config": {**good_config(), **change}, "encryptionsalt": "v1:x", "secretsprovider": "passphrase"}

    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


def test_a_key_may_be_without_the_project_s_name() -> None:
    config = {key.removeprefix("vllm-eks:"): value for key, value in good_config().items()}

    assert VALIDATOR.is_valid({"config": config})
    assert not VALIDATOR.is_valid({"config": {key: value for key, value in config.items() if key != "cluster"}})


def test_values_of_an_esc_environment_may_be_missing() -> None:
    assert VALIDATOR.is_valid({"environment": ["shared"]})
    assert not VALIDATOR.is_valid({"environment": ["shared"], "config": {"vllm-eks:network": {"zone": "us-west-2a"}}})


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for section in SECTION_KEYS:
        if section.settings:
            yield from below(section.name, section.settings)


def below(name: str, settings: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield name, settings
    for key, field in settings.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from below(f"{name}.{key}", kind)


KEYS = [(name, settings, key) for name, settings in sections() for key in settings.model_fields]
schema_of = cache(settings_schema)
NAMES_A_FILE = {"kubeconfig_path", "path"}


@pytest.mark.parametrize(("section", "settings", "key"), KEYS, ids=[f"{name}.{key}" for name, _, key in KEYS])
def test_a_key_has_a_description_and_valid_examples(section: str, settings: type[BaseModel], key: str) -> None:
    field = settings.model_fields[key]
    schema = schema_of(settings)["properties"][field.alias or key]

    assert str(field.description).endswith(".")
    assert field.examples
    assert field.is_required() or ABSENT in schema or field.default in (False, True, (), {}) or "default" in schema
    for example in field.examples:
        assert Draft7Validator(schema).is_valid(example)
        if key not in NAMES_A_FILE:
            assert key in _parsed(settings, field.alias or key, example)


def _parsed(settings: type[BaseModel], alias: str, example: object) -> set[str]:
    """Return the fields of a section with valid values, where the file has one key."""
    parsed = parse_section(settings, {alias: example}, "section")
    assert [error for error in parsed.errors if not error.text.startswith("is missing")] == []
    return parsed.settings.model_fields_set if parsed.settings else set()


def test_every_top_level_key_has_a_description() -> None:
    assert all(section_schema(key)["description"].endswith(".") for key in SECTION_KEYS)
    assert all(key.description.endswith(".") and key.example for key in PROVIDER_KEYS)
