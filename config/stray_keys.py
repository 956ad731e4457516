"""Finds misplaced keys: flat keys, and keys in another namespace."""

import re
from collections.abc import Iterator, Mapping, Sequence

from config.errors import ConfigError, nearest
from config.sections import decode
from vllm_eks.json_values import is_list

PROVIDERS = frozenset(("aws", "aws-native", "awsx", "eks", "kubernetes", "pulumi", "random", "tls"))
"""Namespaces of Pulumi's own packages. Their keys are not ours, whatever their names are."""
MAX_EXAMPLE_CHARACTERS = 60


def unknown_keys(
    config: Mapping[str, str],
    secret_keys: Sequence[str],
    project: str,
    *,
    sections: Sequence[str],
    secrets: Sequence[str],
    secret_maps: Sequence[str] = (),
) -> Iterator[ConfigError]:
    """Yield an error for each unused key under the project's name, or under another project's."""
    known = (*sections, *secrets)
    for key in sorted(config):
        namespace, _, name = key.partition(":")
        section = re.split(r"[.\[]", name)[0]
        if namespace == project and name not in known:
            if section != name and section in sections:
                yield _flat_key(key, "" if key in secret_keys else config[key])
            elif section != name and section in secret_maps:
                yield _flat_key(key, "", options="--secret --path")
            else:
                yield ConfigError(key=key, text=f"is not a setting: {nearest(name, known)}")
        elif namespace != project and namespace not in PROVIDERS and section in known:
            text = f"belongs to project {namespace!r}, but Pulumi.yaml has name {project!r}: use {project}:{name}"
            yield ConfigError(key=key, text=text)


def is_explained(error: ConfigError, config: Mapping[str, str], project: str) -> bool:
    """Return whether a missing key is explained by a misplaced one, which has its own error."""
    if not error.text.startswith(("is missing", "has no model")):
        return False
    namespace, _, rest = error.key.partition(":")
    section = re.split(r"[.\[]", rest)[0]
    if section != rest and error.key in config:
        return True
    strays = (key.partition(":") for key in config if key.partition(":")[0] not in (project, *PROVIDERS))
    return namespace == project and any(re.split(r"[.\[]", name)[0] == section for _, _, name in strays)


def _flat_key(key: str, value: str, options: str = "--path") -> ConfigError:
    """Explain a key that `pulumi config set` without --path created, and how to set the right one."""
    decoded = decode(value)
    if is_list(decoded):
        commands = [f"'{key}[{index}]' {item}" for index, item in enumerate(decoded[:2])]
        more = " and so on" if len(decoded) > 2 else ""
    else:
        commands, more = [f"'{key}' {value or '...'}"], ""
    commands = [command if len(command) < MAX_EXAMPLE_CHARACTERS + len(key) else f"'{key}' ..." for command in commands]
    right = "; ".join(f"pulumi config set {options} {command}" for command in commands) + more
    return ConfigError(
        key=key,
        text="is one flat key, created by pulumi config set without --path: run pulumi config rm "
        f"'{key}', then {right}",
    )
