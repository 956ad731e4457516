"""Builds values from a YAML parser's events, by the rules of Pulumi's own reader, with a line for each error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from vllm_eks.json_values import is_list, is_object
from vllm_eks.stack_files.wording import key_path
from vllm_eks.stack_files.yaml_scalars import resolve_key, resolve_plain, resolve_tagged, shorten

MAX_LEVELS = 50
"""Limit of nesting. A stack file has five levels, and the parser's time grows with the square of the levels."""
MAX_VALUES = 10_000
"""Limit of values in a document, with each alias counted as often as it is used. 60 models have about 2,000."""

YAML_TAG = "tag:yaml.org,2002:"
TABBED_LINE = re.compile(r"^ *\t", re.MULTILINE)
ESCAPED_SLASH = re.compile(r"(?<!\\)(\\\\)*\\/")
DIRECTIVE = re.compile(r"^%", re.MULTILINE)
ANCHOR = re.compile(r"[A-Za-z0-9_-]+")
SURROGATE = re.compile("[\ud800-\udfff]")


Path = tuple[str | int, ...]
"""The keys and indices that lead to a value."""


class YamlErrors(ValueError):  # noqa: N818  (it holds several)
    """A document that Pulumi would refuse or misread. `errors` has one line for each error."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class _Parser(YAML):
    """The parser without its search for plug-ins, which takes longer than parsing a stack file."""

    def official_plug_ins(self) -> list[str]:
        return []


@dataclass
class _Node:
    """A value, and the number of values in it, with aliases followed."""

    value: object
    size: int = 1


@dataclass
class DocumentBuilder:
    """Builds values from the parser's events, with one call per level of nesting."""

    text: str
    errors: list[str] = field(default_factory=list[str])
    line: int = 1
    _anchors: dict[str, _Node | None] = field(default_factory=dict[str, _Node | None])
    _size: int = 0
    _inside_scalars: set[int] = field(default_factory=set[int])
    _is_json: bool = False
    _flow_levels: int = 0

    def document(self) -> object:
        """Return the single document of the text, or None when it is empty.

        Raises:
            YamlErrors: The rest of the document cannot be read. Other errors are added to `errors`.
        """
        events = _Parser(typ="safe", pure=True).parse(self.text)
        event = next(events)
        while isinstance(event, StreamStartEvent):
            event = next(events)
        if isinstance(event, StreamEndEvent):
            return None
        root = next(events)
        if found := DIRECTIVE.search(self.text, 0, root.start_mark.index):
            line = self.text.count("\n", 0, found.start()) + 1
            raise YamlErrors([f"line {line}: a % directive is not supported by Pulumi: remove it"])
        self._is_json = isinstance(root, MappingStartEvent) and bool(root.flow_style)
        value = self._build(root, events, ()).value
        next(events)
        after = next(events)
        if not isinstance(after, StreamEndEvent):
            line = after.start_mark.line + 1
            raise YamlErrors([f"line {line}: a second document starts here, which Pulumi does not read: remove it"])
        return value

    def tabbed_lines(self) -> list[int]:
        """Return the lines with a tab in the indentation, which Pulumi refuses except in JSON."""
        if self._is_json:
            return []
        lines = [self.text.count("\n", 0, found.start()) + 1 for found in TABBED_LINE.finditer(self.text)]
        return [line for line in lines if line not in self._inside_scalars]

    def _build(self, event: Event, events: Iterator[Event], path: Path) -> _Node:
        self.line = event.start_mark.line + 1
        if len(path) > MAX_LEVELS:
            raise YamlErrors([f"line {self.line}: nested more than {MAX_LEVELS} levels deep"])
        if isinstance(event, AliasEvent):
            built = self._resolve_alias(event)
        else:
            anchor = event.anchor if isinstance(event, NodeEvent) else None
            if anchor:
                if not ANCHOR.fullmatch(anchor):
                    text = f"the anchor &{shorten(anchor)} has characters other than letters, digits, - and _"
                    raise YamlErrors([f"line {self.line}: {text}"])
                self._anchors[anchor] = None
            built = self._build_node(event, events, path)
            if anchor:
                self._anchors[anchor] = built
        self._size += built.size if isinstance(event, AliasEvent) else 1
        if self._size > MAX_VALUES:
            raise YamlErrors([f"line {self.line}: more than {MAX_VALUES:,} values, with aliases (*) followed"])
        return built

    def _resolve_alias(self, event: AliasEvent) -> _Node:
        if event.anchor not in self._anchors:
            raise YamlErrors([f"line {self.line}: *{event.anchor} refers to an anchor that is not defined above it"])
        built = self._anchors[event.anchor]
        if built is None:
            raise YamlErrors([f"line {self.line}: the anchor &{event.anchor} contains itself"])
        return built

    def _build_node(self, event: Event, events: Iterator[Event], path: Path) -> _Node:
        if isinstance(event, ScalarEvent):
            return _Node(self._scalar(event, path))
        tag = _tag(event)
        if tag not in (None, "map" if isinstance(event, MappingStartEvent) else "seq"):
            self._add_error(path, f"the tag {_tag_as_written(event)} is not supported: remove it")
        is_flow = isinstance(event, CollectionStartEvent) and bool(event.flow_style)
        self._flow_levels += is_flow
        read = self._sequence if isinstance(event, SequenceStartEvent) else self._mapping
        built = read(events, path)
        self._flow_levels -= is_flow
        return built

    def _scalar(self, event: ScalarEvent, path: Path) -> object:
        is_plain = event.style is None
        self._inside_scalars.update(range(event.start_mark.line + 2, event.end_mark.line + 2))
        if event.style == '"' and ESCAPED_SLASH.search(self.text, event.start_mark.index, event.end_mark.index):
            self._add_error(path, r"\/ is an escape that Pulumi does not support: use /")
        if is_plain and self._flow_levels and ("?" in event.value or event.value.startswith(":")):
            self._add_error(path, f"Pulumi refuses {shorten(event.value)!r} inside [] or {{}}: put it in quotes")
        if SURROGATE.search(event.value):
            self._add_error(path, r"a \u escape from D800 to DFFF is only half a character: use the character itself")
        tag = _tag(event)
        try:
            if tag is not None:
                return resolve_tagged(tag, event.value)
            return resolve_plain(event.value) if is_plain else event.value
        except ValueError as error:
            self._add_error(path, str(error))
            return None

    def _sequence(self, events: Iterator[Event], path: Path) -> _Node:
        items: list[object] = []
        size = 1
        while not isinstance(event := next(events), SequenceEndEvent):
            built = self._build(event, events, (*path, len(items)))
            items.append(built.value)
            size += built.size
        return _Node(items, size)

    def _mapping(self, events: Iterator[Event], path: Path) -> _Node:
        values: dict[str, object] = {}
        merged: list[dict[str, object]] = []
        lines: dict[str, int] = {}
        size = 1
        while not isinstance(event := next(events), MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._key(event, events, path)
            if key in lines:
                self.errors.append(f"line {line}: the key {key} is listed twice (line {lines[key]}): remove one")
            lines[key] = line
            is_merge = key == "<<" and not (isinstance(event, ScalarEvent) and _tag(event) == "str")
            built = self._build(next(events), events, (*path, key))
            size += built.size
            if is_merge:
                merged += self._merge_sources(built.value, line)
            else:
                values[key] = built.value
        # The mapping's own keys win, wherever they are. Then the first of the merged mappings wins.
        for one in merged:
            values = {**one, **values}
        return _Node(values, size)

    def _key(self, event: Event, events: Iterator[Event], path: Path) -> str:
        if not isinstance(event, (ScalarEvent, AliasEvent)):
            raise YamlErrors([f"line {event.start_mark.line + 1}: a key cannot be a list or a map: use text"])
        before = len(self.errors)
        value = self._build(event, events, path).value
        if isinstance(value, (dict, list)):
            raise YamlErrors([f"line {self.line}: a key cannot be a list or a map: use text"])
        text = event.value if isinstance(event, ScalarEvent) else str(value)
        if len(self.errors) > before:
            return text
        try:
            key = resolve_key(text, value)
        except ValueError as error:
            self.errors.append(f"line {self.line}: {error}")
            return text
        # Keys at the root and below config: are names, and Pulumi accepts no numbers there.
        if len(path) < 2 and not isinstance(value, str):
            self.errors.append(f"line {self.line}: the key {key} is not text: put it in quotes")
        return key

    def _merge_sources(self, value: object, line: int) -> list[dict[str, object]]:
        given = value if is_list(value) else [value]
        maps = [one for one in given if is_object(one)]
        if len(maps) < len(given):
            self.errors.append(f"line {line}: << needs a map or a list of maps")
        return maps

    def _add_error(self, path: Path, text: str) -> None:
        self.errors.append(f"line {self.line}: {_place(path)}{text}")


def _tag(event: Event) -> str | None:
    """Return `str` for `!!str`, and other tags as written."""
    tag = event.tag if isinstance(event, (ScalarEvent, CollectionStartEvent)) else None
    return tag.removeprefix(YAML_TAG) if tag else None


def _tag_as_written(event: Event) -> str:
    tag = _tag(event) or ""
    return tag if tag.startswith("!") else f"!!{tag}"


def _place(path: Path) -> str:
    """Return the key of a value in the syntax of `pulumi config set --path`."""
    steps = path[1:] if path[:1] == ("config",) and len(path) > 1 else path
    return f"{key_path(str(steps[0]), *steps[1:])}: " if steps else ""
