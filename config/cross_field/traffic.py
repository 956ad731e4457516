"""Checks that a stated load is complete, and that its values agree with each other."""

from collections.abc import Iterator

from config.errors import ConfigError
from vllm_eks.json_values import is_object, object_or_empty
from vllm_eks.planner.load.reading import read_words
from vllm_eks.planner.load.words import key_name
from vllm_eks.stack_files.stated_traffic import words_of
from vllm_eks.stack_files.wording import key_path


def traffic_errors(model: object, key: str) -> Iterator[ConfigError]:
    """Yield what is missing or wrong in the traffic of a model.

    Args:
        model: The model as it is in the file: a traffic with one value of a wrong kind is None in the settings, and its
            other errors are reported too.
        key: The model's full key.
    """
    traffic = object_or_empty(model).get("traffic")
    if not is_object(traffic):
        return
    for error in read_words(words_of(traffic), key_name).errors:
        steps = [key_name(error.name)] if error.name else []
        yield ConfigError(key=key_path(key, "traffic", *steps), text=error.text)
