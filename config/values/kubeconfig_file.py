"""What a kubeconfig must hold before a provider is made from it: what is wrong with the file, in one sentence."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object
from vllm_eks.text_files import deepest_line, read_text_file

MOST_BYTES = 1024 * 1024
# libyaml where it was built: the other needs half a minute for a file of this size.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_LEVELS = 100
"""Of brackets: the parser's time grows with the square of them."""


def kubeconfig(value: str, path: Path) -> str:
    """Accept the path of a kubeconfig whose current context names a cluster and a user.

    Args:
        value: The path as the stack file has it, for messages.
        path: The same, expanded.

    Raises:
        ValueError: It is not readable, is not YAML, or leads nowhere.
    """
    try:
        text = read_text_file(path, called=repr(value), most_bytes=MOST_BYTES)
    except WrongQuestion as error:
        raise ValueError(str(error)) from None
    if deepest_line(text, levels=MOST_LEVELS):
        raise ValueError(f"{value!r} is not a kubeconfig: it is nested too deeply")
    try:
        document = yaml.load(text, Loader=LOADER)
    except Exception as error:  # a YAML error, and whatever else a file can make of a parser
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{value!r}{where} is not YAML: give a kubeconfig") from None
    if fault := _fault(document):
        raise ValueError(f"{value!r} {fault}")
    return str(path)


def _fault(document: object) -> str | None:
    if not is_object(document) or not any(key in document for key in ("clusters", "contexts", "current-context")):
        return "is not a kubeconfig: it needs clusters, contexts, users and current-context"
    current = document.get("current-context")
    if not isinstance(current, str) or not current:
        return "has no current-context: run kubectl config use-context with this file"
    context = _named(document, "contexts", "context", current)
    if context is None:
        return f"has no context {current!r}, which its current-context names"
    for kind in ("cluster", "user"):
        name = context.get(kind)
        if not isinstance(name, str) or _named(document, f"{kind}s", kind, name) is None:
            return f"has no {kind} {str(name)[:80]!r}, which the context {current!r} names"
    server = (_named(document, "clusters", "cluster", str(context["cluster"])) or {}).get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        return f"gives the cluster {context['cluster']!r} no server: an address that begins with https://"
    return None


def _named(document: Mapping[str, object], section: str, kind: str, name: str) -> dict[str, object] | None:
    """Return the content of a list's item of this name."""
    items = document.get(section)
    for item in items if is_list(items) else ():
        if is_object(item) and item.get("name") == name:
            content = item.get(kind)
            return content if is_object(content) else {} if kind == "user" and content is None else None
    return None
