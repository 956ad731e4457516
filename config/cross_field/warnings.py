"""Accepted settings with side effects, in the order of the file."""

from collections.abc import Iterator

from config.cross_field.limits import offering_warnings
from config.cross_field.models import model_warnings
from config.cross_field.observability import latency_warnings, probe_warnings
from config.cross_field.source_ranges import source_range_warnings
from config.errors import ConfigError
from config.settings.stack import StackSettings
from vllm_eks.stack_files.wording import key_path


def stack_warnings(settings: StackSettings, project: str, region: str) -> Iterator[ConfigError]:
    """Yield the warnings of a stack without errors."""
    key = f"{project}:models"
    for name, model in settings.models.items():
        yield from model_warnings(model, key_path(key, name))
    yield from offering_warnings(settings.models, region, key)
    yield from source_range_warnings(settings, project)
    yield from probe_warnings(settings, project)
    yield from latency_warnings(settings, project)
