"""Checks that every ARN of a stack file is of the stack's region and partition."""

from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import BaseModel

from config.errors import ConfigError
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.stack_files.wording import key_path


def arn_errors(section: BaseModel | None, region: str, key: str) -> Iterator[ConfigError]:
    """Yield the errors of all ARNs in a section, also in sections below it and in lists.

    Mappings are left out: their values belong to others, such as the variables in `env`.
    """
    if section is None:
        return
    for name, info in type(section).model_fields.items():
        # A key with an error holds None, and has its error already.
        yield from _of_value(getattr(section, name, None), region, key_path(key, info.alias or name))


def arns_of_models_errors(models: Mapping[str, BaseModel], region: str, key: str) -> Iterator[ConfigError]:
    """Yield the errors of all ARNs in the models."""
    for name, model in models.items():
        yield from arn_errors(model, region, key_path(key, name))


def arn_error(arn: str, region: str, key: str) -> ConfigError | None:
    """Return the error of one ARN, or None. One of IAM has no region, but a partition."""
    _, partition, _, of_region, *_ = [*arn.split(":"), "", "", ""]
    expected = aws_partition(region)
    if of_region and of_region != region:
        text = f"{arn!r} is in {of_region}, and aws:region is {region}: use one in {region}"
    elif partition != expected:
        text = (
            f"{arn!r} is in the partition {partition}, and aws:region {region} is in {expected}: use an ARN that "
            f"begins with arn:{expected}:"
        )
    else:
        return None
    return ConfigError(key=key, text=text)


def _of_value(value: object, region: str, key: str) -> Iterator[ConfigError]:
    if isinstance(value, BaseModel):
        yield from arn_errors(value, region, key)
    elif isinstance(value, tuple):
        for index, one in enumerate(cast("tuple[object, ...]", value)):
            yield from _of_value(one, region, key_path(key, index))
    elif isinstance(value, str) and value.startswith("arn:") and (error := arn_error(value, region, key)):
        yield error
