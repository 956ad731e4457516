"""What `extraArgs` may hold: flags of vLLM that neither the planner nor the chart sets."""

from collections.abc import Iterator, Sequence

from pydantic.alias_generators import to_camel

from config.faults import Fault, key_path, yaml_keys
from config.model_settings import ModelSettings
from planner.vllm_args import CHART_OWNED_FLAGS, PLANNER_OWNED_FLAGS, TYPED_FLAGS

OWNED_FLAGS = PLANNER_OWNED_FLAGS | CHART_OWNED_FLAGS | TYPED_FLAGS
LONG_FORMS = {
    "-tp": "--tensor-parallel-size",
    "-pp": "--pipeline-parallel-size",
    "-dcp": "--decode-context-parallel-size",
    "-ep": "--enable-expert-parallel",
}

SECRET_FLAGS = frozenset({"--api-key", "--hf-token"})
"""Would stand in the pod's command line, readable by whoever may list pods."""


def extra_args_faults(args: Sequence[str], key: str) -> Iterator[Fault]:
    """Yield a fault for each argument vLLM should not get this way."""
    for index, arg in enumerate(args):
        place = key_path(key, index)
        if index == 0 and not arg.startswith("-"):
            yield Fault(key=place, text=f"{arg!r} is not a flag: begin the list with one, such as --seed")
        elif not arg:
            yield Fault(key=place, text="is empty: remove it")
        elif arg.startswith("-"):
            yield from _flag_faults(arg, place)


def _flag_faults(arg: str, place: str) -> Iterator[Fault]:
    flag = arg.partition("=")[0]
    if " " in flag:
        first, _, rest = arg.partition(" ")
        yield Fault(key=place, text=f"{arg!r} is two words in one: write {first}, then {rest.strip()} as an item")
        return
    name = canonical_flag(flag)
    if name in SECRET_FLAGS:
        yield Fault(
            key=place,
            text=f"{flag} would show a secret in the pod's command line: use the secret apiKey "
            "or huggingFaceToken of the stack",
        )
        return
    owned = owned_flag(name)
    if owned:
        setting = to_camel(owned.lstrip("-").replace("-", "_"))
        setting = {"enableAutoToolChoice": "toolCallParser", "enableLora": "loraModules"}.get(setting, setting)
        use = f"use {setting} of the model" if setting in yaml_keys(ModelSettings) else "remove it"
        short = "" if name == owned else f", short for {owned},"
        yield Fault(key=place, text=f"{flag}{short} is set by vllm-eks itself: {use}")


def canonical_flag(flag: str) -> str:
    """Return the name under which vLLM knows a flag.

    vLLM takes underscores for dashes, `--no-x` for a false `--x`, and `--x.y` for a key of `--x`.

    >>> canonical_flag("--max_model_len"), canonical_flag("--no-enforce-eager")
    ('--max-model-len', '--enforce-eager')
    >>> canonical_flag("--limit-mm-per-prompt.image"), canonical_flag("-tp")
    ('--limit-mm-per-prompt', '-tp')
    """
    if not flag.startswith("--"):
        return flag
    name = flag.partition(".")[0].replace("_", "-")
    return f"--{name.removeprefix('--no-')}" if name.startswith("--no-") else name


def owned_flag(name: str) -> str | None:
    """Return the flag of ours that vLLM would take this for; argparse completes an unambiguous beginning."""
    if name in OWNED_FLAGS:
        return LONG_FORMS.get(name, name)
    if not name.startswith("--"):
        # A flag of one letter may have its value glued on (-n2); argparse also completes short flags (-t is -tp).
        if name[:2] in OWNED_FLAGS:
            return name[:2]
        short = sorted(flag for flag in OWNED_FLAGS if not flag.startswith("--") and flag.startswith(name))
        return LONG_FORMS.get(short[0], short[0]) if short else None
    completions = sorted(flag for flag in OWNED_FLAGS if flag.startswith(name))
    return completions[0] if completions else None
