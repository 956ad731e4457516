"""The errors and warnings about a stack's extraArgs."""

from config.cross_field.extra_args import extra_args_errors, extra_args_warnings
from config.settings.model import ModelSettings
from tests.support.stack_config import model
from vllm_eks.planner.engine.flag_tables import table_versions
from vllm_eks.planner.models.known_models import find_model

VERSIONS = [".".join(map(str, version)) for version in table_versions()]
OWN = {"image": "registry.example/vllm:1"}


def said(*args: str, version: str = "0.27.0", **settings: object) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings of a list of arguments."""
    given = ModelSettings.model_validate(model(**OWN, vllmVersion=version, extraArgs=list(args), **settings))
    facts = find_model(given.model)
    return (
        [str(error) for error in extra_args_errors(given, facts, "m")],
        [str(warning) for warning in extra_args_warnings(given, facts, "m")],
    )
