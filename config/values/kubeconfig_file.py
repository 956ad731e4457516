"""Checks a kubeconfig file before a provider uses it."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object
from vllm_eks.text_files import deepest_line, read_text_file

MAX_BYTES = 1024 * 1024
# Use libyaml if available, because the Python parser needs half a minute for a file of this size.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_LEVELS = 100
"""Of open brackets. The parser's time grows with the square of the levels."""


def kubeconfig(value: str, path: Path) -> str:
    """Return the path of a kubeconfig whose current context has a cluster and a user.

    Args:
        value: The path as in the stack file, for messages.
        path: The same path, expanded.

    Raises:
        ValueError: It cannot be read, is not YAML, or lacks a part.
    """
    try:
        text = read_text_file(path, called=repr(value), most_bytes=MAX_BYTES)
    except WrongQuestion as error:
        raise ValueError(str(error)) from None
    if deepest_line(text, levels=MAX_LEVELS):
        raise ValueError(f"{value!r} is not a kubeconfig: it is nested too deeply")
    try:
        document = yaml.load(text, Loader=LOADER)
    except Exception as error:  # a YAML error, or any other error of the parser
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{value!r}{where} is not YAML: set the path of a kubeconfig") from None
    if error := _error(document):
        raise ValueError(f"{value!r} {error}")
    return str(path)


def _error(document: object) -> str | None:
    if not is_object(document) or not any(key in document for key in ("clusters", "contexts", "current-context")):
        return "is not a kubeconfig: it needs clusters, contexts, users and current-context"
    current = document.get("current-context")
    if not isinstance(current, str) or not current:
        return "has no current-context: run kubectl config use-context with this file"
    context = _named(document, "contexts", "context", current)
    if context is None:
        return f"has no context {current!r}, which is its current-context"
    for kind in ("cluster", "user"):
        name = context.get(kind)
        if not isinstance(name, str) or _named(document, f"{kind}s", kind, name) is None:
            return f"has no {kind} {str(name)[:80]!r}, which the context {current!r} uses"
    server = (_named(document, "clusters", "cluster", str(context["cluster"])) or {}).get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        return f"has no server for the cluster {context['cluster']!r}: it must begin with https://"
    return None


def _named(document: Mapping[str, object], section: str, kind: str, name: str) -> dict[str, object] | None:
    """Return the content of the list item with this name."""
    items = document.get(section)
    for item in items if is_list(items) else ():
        if is_object(item) and item.get("name") == name:
            content = item.get(kind)
            return content if is_object(content) else {} if kind == "user" and content is None else None
    return None
