"""Checks that a stated load is complete, and that its values agree with each other."""

from collections.abc import Callable, Iterator

from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.errors import WrongQuestion
from vllm_eks.stack_files.wording import key_path


def traffic_errors(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield what is missing or wrong in the traffic of a model, if it has any."""
    if model.traffic is None:
        return
    checks: tuple[Callable[[], object], ...] = (model.traffic.traffic, model.traffic.level)
    for check in checks:
        try:
            check()
        except WrongQuestion as error:
            yield ConfigError(key=key_path(key, "traffic"), text=str(error))
