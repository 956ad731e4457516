"""Checks the secret map `clientKeys` without showing a key, and the names in `clients`.

Offline, encrypted keys are placeholders. Their values are checked when Pulumi decrypts them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from config.errors import NO_VALUE, ConfigError
from config.sections import decode, parse_section
from config.settings.client import ClientSettings
from config.values import client_rules
from vllm_eks.json_values import is_object
from vllm_eks.stack_files.stack_file import NOT_SET_PLACEHOLDER, SECRET_PLACEHOLDER, StackFile
from vllm_eks.stack_files.wording import key_path, kind_of, shown

CLIENT_KEYS = "clientKeys"
PLACEHOLDERS = (SECRET_PLACEHOLDER, NOT_SET_PLACEHOLDER)
OTHER_KEYS = ("apiKey", "secondApiKey")


@dataclass(frozen=True, kw_only=True)
class GivenKeys:
    """The clients that have a key, and the errors of their keys."""

    names: tuple[str, ...]
    errors: tuple[ConfigError, ...]
    open_questions: tuple[str, ...] = ()
    """Missing keys that an offline preview ignores and `pulumi up` refuses."""


def how_to_set(name: str) -> str:
    """Return the command that sets a client's key. It asks for the key, so that no history keeps it."""
    return f"pulumi config set --secret --path {key_path(CLIENT_KEYS, name)}"


def given_keys(given: StackFile) -> GivenKeys:
    """Check the map of client names and keys."""
    key = f"{given.project}:{CLIENT_KEYS}"
    value = decode(given.config.get(key) or "{}")
    if not is_object(value):
        text = (
            f"is one value, not a map of client names and keys: run pulumi config rm {CLIENT_KEYS}, then "
            f"{how_to_set('NAME')} for each client"
        )
        return GivenKeys(names=(), errors=(ConfigError(key=key, text=text),))
    unset = [name for name, one in sorted(value.items()) if one == NOT_SET_PLACEHOLDER]
    return GivenKeys(
        names=tuple(sorted(value)),
        errors=tuple(_errors(value, key, given)),
        open_questions=tuple(
            # An offline preview selects no stack, so the command must name it.
            f"{key_path(CLIENT_KEYS, name)} is not set: pulumi up will fail until you run: pulumi config set --stack "
            f"{given.stack} --secret --path {key_path(CLIENT_KEYS, name)}"
            for name in unset
        ),
    )


def _errors(keys: Mapping[str, object], path: str, given: StackFile) -> Iterator[ConfigError]:
    taken = _keys_of_all_clients(given)
    for name, key in sorted(keys.items()):
        if key == NOT_SET_PLACEHOLDER:
            continue  # The file has this name only in `clients`, where it is checked.
        place = key_path(path, name)
        try:
            client_rules.client_name(name)
        except ValueError as error:
            yield ConfigError(key=place, text=str(error))
            continue
        if path not in given.secret_keys or name in given.plain_beside_secrets.get(path, ()):
            text = f"is in plain text in the stack file: run {how_to_set(name)}, with a new key if others saw the file"
            yield ConfigError(key=place, text=text)
        elif text := _key_error(name, key):
            yield ConfigError(key=place, text=text)
        elif key not in PLACEHOLDERS:
            if key in taken:
                yield ConfigError(
                    key=place,
                    text=f"is the same key as {taken[key]}, so both would have one name in metrics: run "
                    f"{how_to_set(name)}, with another key",
                )
            taken.setdefault(key, key_path(CLIENT_KEYS, name))


def _keys_of_all_clients(given: StackFile) -> dict[object, str]:
    """Return where each key is used that belongs to no named client."""
    held = {given.config.get(f"{given.project}:{name}"): name for name in reversed(OTHER_KEYS)}
    return {key: name for key, name in held.items() if key and key not in PLACEHOLDERS}


def _key_error(name: str, key: object) -> str:
    if key is None:
        key = ""
    if not isinstance(key, str):
        return f"is {kind_of(key)}, not a key: a client has one key, and its name has no dots. Run {how_to_set(name)}"
    if key in PLACEHOLDERS:
        return ""
    try:
        client_rules.client_key(key)
    except ValueError as error:
        return f"{error}. Run {how_to_set(name)}"
    return ""


def parse_clients(value: object, key: str) -> tuple[dict[str, ClientSettings], list[ConfigError]]:
    """Check the map of clients and their limits, each on its own."""
    if not is_object(value):
        return {}, [ConfigError(key=key, text=f"{shown(value)}, not a section: put a client's name below it")]
    clients: dict[str, ClientSettings] = {}
    errors: list[ConfigError] = []
    for name, settings in value.items():
        place = key_path(key, name)
        try:
            client_rules.client_name(name)
        except ValueError as error:
            errors.append(ConfigError(key=place, text=str(error)))
            continue
        if settings is None:
            errors.append(ConfigError(key=place, text=NO_VALUE))
            continue
        parsed = parse_section(ClientSettings, settings, place)
        if parsed.settings is not None:
            clients[name] = parsed.settings
        errors += parsed.errors
    return clients, errors
