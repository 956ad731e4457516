"""Keys that were meant for this project and miss it: flat ones, and those of another namespace."""

import re
from collections.abc import Iterator, Mapping, Sequence

from config.errors import Fault, nearest
from config.sections import decode
from vllm_eks.json_values import is_list

PROVIDERS = frozenset(("aws", "aws-native", "awsx", "eks", "kubernetes", "pulumi", "random", "tls"))
"""Namespaces of Pulumi's own packages: a key of theirs is none of ours, whatever its name."""
LONGEST_EXAMPLE = 60


def unknown_keys(
    config: Mapping[str, str],
    secret_keys: Sequence[str],
    project: str,
    *,
    sections: Sequence[str],
    secrets: Sequence[str],
) -> Iterator[Fault]:
    """Yield a fault for each key that nobody reads: under the project's name, or under another project's."""
    known = (*sections, *secrets)
    for key in sorted(config):
        namespace, _, name = key.partition(":")
        section = re.split(r"[.\[]", name)[0]
        if namespace == project and name not in known:
            if section != name and section in sections:
                yield _flat_key(key, "" if key in secret_keys else config[key])
            else:
                yield Fault(key=key, text=f"is not a setting: {nearest(name, known)}")
        elif namespace != project and namespace not in PROVIDERS and section in known:
            text = f"is of a project {namespace!r}, and Pulumi.yaml calls this one {project!r}: write {project}:{name}"
            yield Fault(key=key, text=text)


def is_explained(fault: Fault, config: Mapping[str, str], project: str) -> bool:
    """Return whether a missing key is one that a stray key was meant to be: that key has a fault already."""
    if not fault.text.startswith(("is missing", "has no model")):
        return False
    namespace, _, rest = fault.key.partition(":")
    section = re.split(r"[.\[]", rest)[0]
    if section != rest and fault.key in config:
        return True
    strays = (key.partition(":") for key in config if key.partition(":")[0] not in (project, *PROVIDERS))
    return namespace == project and any(re.split(r"[.\[]", name)[0] == section for _, _, name in strays)


def _flat_key(key: str, value: str) -> Fault:
    """Explain what `pulumi config set` without --path makes, and how to make the right one."""
    decoded = decode(value)
    if is_list(decoded):
        commands = [f"'{key}[{index}]' {item}" for index, item in enumerate(decoded[:2])]
        more = " and so on" if len(decoded) > 2 else ""
    else:
        commands, more = [f"'{key}' {value or '...'}"], ""
    commands = [command if len(command) < LONGEST_EXAMPLE + len(key) else f"'{key}' ..." for command in commands]
    right = "; ".join(f"pulumi config set --path {command}" for command in commands) + more
    return Fault(
        key=key,
        text="is one flat key, as pulumi config set makes it without --path: run pulumi config rm "
        f"'{key}', then {right}",
    )
