"""`config/schema.json`: the JSON Schema of a whole `Pulumi.<stack>.yaml` of this project.

It uses draft 7, the newest that the YAML language server fully supports. The schema checks what one file shows on its
own: keys, types, formats and bounds. It accepts everything that the loader accepts, except values with a clearer YAML
form: a number or `true` for a secret, and an empty value in a nested section. Checks that need the planner's data, the
catalogue or the account are in the program.
"""

from collections.abc import Callable, Mapping
from typing import Any

from config.settings.base import ABSENT
from config.stack_keys import PROVIDER_KEYS, SECRET_KEYS, SECRETS, SECTION_KEYS, SECTIONS, SecretKey, SectionKey
from config.stray_keys import PROVIDERS
from config.values import client_rules, rules
from tools.reference.settings_schema import Schema, settings_schema
from vllm_eks.aws.regions import REGIONS

PROJECT = "vllm-eks"
PATTERN_ERROR = "patternErrorMessage"
"""The YAML language server's keyword for a message instead of a regular expression."""
JSON_OBJECT, JSON_LIST = r"^\s*(\{|$)", r"^\s*(\[|$)"
"""A section may be JSON text, as `pulumi config set` without --path writes it."""
FORMS_OF_PROVIDER_KEYS: Mapping[str, Schema] = {
    "aws:region": {"type": "string", "enum": list(REGIONS)},
    "aws:profile": {"type": ["string", "null"]},
    "aws:assumeRoles": {
        "type": ["array", "string", "null"],
        "maxItems": 1,
        "items": {"type": "object", "required": ["roleArn"], "properties": {"roleArn": {"type": "string"}}},
        "pattern": JSON_LIST,
    },
    "aws:defaultTags": {"type": ["object", "string", "null"], "pattern": JSON_OBJECT},
}


def section_schema(section: SectionKey) -> Schema:
    """Return the schema of one section, with `x-absent` in its keys."""
    if section.settings and not section.is_map:
        return {**settings_schema(section.settings), "description": section.description}
    values = settings_schema(section.settings) if section.settings else _tag_values()
    names = NAMES[section.name]()
    required = {"minProperties": 1} if section.required else {}
    return {
        "type": "object",
        "description": section.description,
        "additionalProperties": values,
        "propertyNames": names,
        **required,
    }


def stack_schema() -> Schema:
    """Return the whole schema."""
    sections = {section.name: _as_in_the_file(section) for section in SECTION_KEYS}
    secrets = {key.name: _secret_map(key) if key.is_map else _secret(key) for key in SECRET_KEYS}
    ours = sections | secrets
    known = "|".join((*SECTIONS, *SECRETS))
    required = ["aws:region", *(f"{PROJECT}:{section.name}" for section in SECTION_KEYS if section.required)]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A stack file of vllm-eks",
        "description": "Generated from config/ by `make generate`. Edit there.",
        "definitions": ours,
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{PROJECT}:{name}": {"$ref": f"#/definitions/{name}"} for name in ours}
                | {key.name: _provider_key(key.name, key.description) for key in PROVIDER_KEYS},
                "patternProperties": {
                    **{f"^({PROJECT}:config:)?{name}$": {"$ref": f"#/definitions/{name}"} for name in ours},
                    # A key of this project with another project's name.
                    rf"^(?!({'|'.join((PROJECT, *sorted(PROVIDERS)))}):)[^:]+:(config:)?({known})([.\[].*)?$": False,
                    rf"^(?!{PROJECT}:)[^:]+:.+$": True,
                    # pulumi-aws 7 ignores it.
                    "^aws:assumeRole$": False,
                },
                "additionalProperties": False,
            },
            "environment": {"description": "Pulumi ESC environments. The offline preview does not open them."},
            "encryptionsalt": {"type": "string", "description": "Written by Pulumi."},
            "encryptedkey": {"type": "string", "description": "Written by Pulumi."},
            "secretsprovider": {"type": "string", "description": "Written by Pulumi."},
        },
        # Values from an ESC environment are not in the file.
        "if": {"not": {"required": ["environment"]}},
        "then": {
            "required": ["config"],
            "properties": {"config": {"allOf": [_required(name) for name in required]}},
        },
    }


def _required(full_key: str) -> Schema:
    namespace, _, name = full_key.partition(":")
    if namespace != PROJECT:
        return {"required": [full_key]}
    spellings = (full_key, name, f"{PROJECT}:config:{name}")
    return {"anyOf": [{"required": [spelling]} for spelling in spellings]}


def _as_in_the_file(section: SectionKey) -> Schema:
    """Return a section's schema for the file: it may also be empty if nothing is required, or JSON text."""
    schema = _published(section_schema(section))
    types = ["object", "string"] if section.required else ["object", "string", "null"]
    return {**schema, "type": types, "pattern": r"^\s*\{" if section.required else JSON_OBJECT}


def _published(schema: Schema) -> Schema:
    """Return a schema for editors: plain descriptions with the default, and messages for patterns."""
    published = {key: value for key, value in schema.items() if key != ABSENT}
    if "description" in schema:
        default = f" Default: {schema[ABSENT]}." if ABSENT in schema else ""
        published["description"] = _plain_text(f"{schema['description']}{default}")
    for example in schema.get("examples", ())[:1]:
        if "pattern" in schema:
            published[PATTERN_ERROR] = f"Use one such as {example}."
        elif "pattern" in schema.get("items", {}) and example:
            published["items"] = {**schema["items"], PATTERN_ERROR: f"Use one such as {example[0]}."}
    if "properties" in schema:
        published["properties"] = {name: _published(one) for name, one in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        published["additionalProperties"] = _published(schema["additionalProperties"])
    return published


def _plain_text(text: str) -> str:
    # The language server shows a description as it is, including markup.
    return text.replace("`", "")


def _secret(key: SecretKey) -> Schema:
    return {
        "description": _plain_text(f"{key.description} Default: {key.absent}. Set it with pulumi config set --secret."),
        "type": ["object", "string", "null"],
        "required": ["secure"],
        "additionalProperties": False,
        "properties": {"secure": {"type": "string"}},
    }


def _secret_map(key: SecretKey) -> Schema:
    one = {"type": "object", "required": ["secure"], "additionalProperties": False}
    return {
        "description": _plain_text(
            f"{key.description} Default: {key.absent}. Set each with pulumi config set --secret --path {key.name}.NAME."
        ),
        "type": ["object", "string", "null"],
        "additionalProperties": {**one, "properties": {"secure": {"type": "string"}}},
        "propertyNames": _client_names(),
        "pattern": JSON_OBJECT,
    }


def _client_names() -> Schema:
    reserved = "|".join((*client_rules.RESERVED_NAMES, "secure"))
    return {
        "pattern": f"^(?!({reserved})$){client_rules.CLIENT_NAME.pattern}$",
        "maxLength": client_rules.MAX_NAME_LENGTH,
        PATTERN_ERROR: "A client's name has only lower-case letters, digits and -, and begins with a letter.",
    }


def _provider_key(name: str, description: str) -> Schema:
    return {**FORMS_OF_PROVIDER_KEYS[name], "description": _plain_text(description)}


def _model_names() -> Schema:
    return {
        "pattern": f"^{rules.MODEL_NAME.pattern}$",
        "maxLength": rules.MAX_NAME_LENGTH,
        PATTERN_ERROR: "A model's name has only lower-case letters, digits and -, and begins with a letter.",
    }


def _tag_names() -> Schema:
    # With `secure`, Pulumi reads the section as one secret.
    return {"minLength": 1, "maxLength": 128, "not": {"pattern": "^([Aa][Ww][Ss]:.*|secure)$"}}


def _tag_values() -> dict[str, Any]:
    return {"type": "string", "maxLength": 256}


NAMES: Mapping[str, Callable[[], Schema]] = {"models": _model_names, "tags": _tag_names, "clients": _client_names}
"""The names below each section that is a map."""
