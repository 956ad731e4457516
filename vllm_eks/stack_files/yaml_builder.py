"""Makes values of a YAML parser's events, by the rules of Pulumi's own reader, with a line for each error."""

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

MOST_LEVELS = 50
"""Of nesting: a stack file has five; the parser's time grows with the square of them."""
MOST_VALUES = 10_000
"""In one document, with every alias counted as what it repeats: a stack of 60 models has about 2,000."""

YAML_TAG = "tag:yaml.org,2002:"
TABBED_LINE = re.compile(r"^ *\t", re.MULTILINE)
ESCAPED_SLASH = re.compile(r"(?<!\\)(\\\\)*\\/")
DIRECTIVE = re.compile(r"^%", re.MULTILINE)
ANCHOR = re.compile(r"[A-Za-z0-9_-]+")
SURROGATE = re.compile("[\ud800-\udfff]")


Path = tuple[str | int, ...]
"""The keys and indices that lead to a value."""


class YamlFaults(ValueError):  # noqa: N818  (several of them)
    """A document that Pulumi would refuse or misread; `faults` has one line for each fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class _Parser(YAML):
    """The parser alone: without a search for plug-ins, which takes longer than a stack file."""

    def official_plug_ins(self) -> list[str]:
        return []


@dataclass
class _Built:
    """A value, and how many values it is made of with its aliases followed."""

    value: object
    size: int = 1


@dataclass
class DocumentBuilder:
    """Makes values of the parser's events, one level of nesting a call."""

    text: str
    faults: list[str] = field(default_factory=list[str])
    line: int = 1
    _anchors: dict[str, _Built | None] = field(default_factory=dict[str, _Built | None])
    _size: int = 0
    _inside_scalars: set[int] = field(default_factory=set[int])
    _is_json: bool = False
    _flow_levels: int = 0

    def document(self) -> object:
        """Return the one document of the text; None where there is none.

        Raises:
            YamlFaults: What follows an error cannot be read; others are added to `faults`.
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
            raise YamlFaults([f"line {line}: has a % directive, which Pulumi does not take: remove it"])
        self._is_json = isinstance(root, MappingStartEvent) and bool(root.flow_style)
        value = self._build(root, events, ()).value
        next(events)
        after = next(events)
        if not isinstance(after, StreamEndEvent):
            line = after.start_mark.line + 1
            raise YamlFaults([f"line {line}: begins a second document, which Pulumi does not read: remove it"])
        return value

    def tabbed_lines(self) -> list[int]:
        """Return the lines whose indentation has a tab, which Pulumi refuses outside of JSON."""
        if self._is_json:
            return []
        lines = [self.text.count("\n", 0, found.start()) + 1 for found in TABBED_LINE.finditer(self.text)]
        return [line for line in lines if line not in self._inside_scalars]

    def _build(self, event: Event, events: Iterator[Event], path: Path) -> _Built:
        self.line = event.start_mark.line + 1
        if len(path) > MOST_LEVELS:
            raise YamlFaults([f"line {self.line}: is nested more than {MOST_LEVELS} levels deep"])
        if isinstance(event, AliasEvent):
            built = self._aliased(event)
        else:
            anchor = event.anchor if isinstance(event, NodeEvent) else None
            if anchor:
                if not ANCHOR.fullmatch(anchor):
                    raise YamlFaults([f"line {self.line}: the anchor &{shorten(anchor)} is not of letters and digits"])
                self._anchors[anchor] = None
            built = self._made(event, events, path)
            if anchor:
                self._anchors[anchor] = built
        self._size += built.size if isinstance(event, AliasEvent) else 1
        if self._size > MOST_VALUES:
            raise YamlFaults([f"line {self.line}: holds more than {MOST_VALUES:,} values, aliases (*) followed"])
        return built

    def _aliased(self, event: AliasEvent) -> _Built:
        if event.anchor not in self._anchors:
            raise YamlFaults([f"line {self.line}: *{event.anchor} names an anchor that nothing before it has"])
        built = self._anchors[event.anchor]
        if built is None:
            raise YamlFaults([f"line {self.line}: the anchor &{event.anchor} holds itself"])
        return built

    def _made(self, event: Event, events: Iterator[Event], path: Path) -> _Built:
        if isinstance(event, ScalarEvent):
            return _Built(self._scalar(event, path))
        tag = _tag(event)
        if tag not in (None, "map" if isinstance(event, MappingStartEvent) else "seq"):
            self._fault(path, f"the tag {_tag_as_written(event)} has no meaning here: remove it")
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
            self._fault(path, r"\/ is an escape that Pulumi does not know: write / alone")
        if is_plain and self._flow_levels and ("?" in event.value or event.value.startswith(":")):
            self._fault(path, f"Pulumi refuses {shorten(event.value)!r} inside [] or {{}}: put it in quotes")
        if SURROGATE.search(event.value):
            self._fault(path, r"a \u escape from D800 to DFFF is half a character: write the character itself")
        tag = _tag(event)
        try:
            if tag is not None:
                return resolve_tagged(tag, event.value)
            return resolve_plain(event.value) if is_plain else event.value
        except ValueError as error:
            self._fault(path, str(error))
            return None

    def _sequence(self, events: Iterator[Event], path: Path) -> _Built:
        items: list[object] = []
        size = 1
        while not isinstance(event := next(events), SequenceEndEvent):
            built = self._build(event, events, (*path, len(items)))
            items.append(built.value)
            size += built.size
        return _Built(items, size)

    def _mapping(self, events: Iterator[Event], path: Path) -> _Built:
        made: dict[str, object] = {}
        merged: list[dict[str, object]] = []
        lines: dict[str, int] = {}
        size = 1
        while not isinstance(event := next(events), MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._key(event, events, path)
            if key in lines:
                self.faults.append(f"line {line}: the key {key} is listed twice (line {lines[key]}): remove one")
            lines[key] = line
            is_merge = key == "<<" and not (isinstance(event, ScalarEvent) and _tag(event) == "str")
            built = self._build(next(events), events, (*path, key))
            size += built.size
            if is_merge:
                merged += self._merged(built.value, line)
            else:
                made[key] = built.value
        # A key of the mapping's own wins wherever it stands, then the first of the merged.
        for one in merged:
            made = {**one, **made}
        return _Built(made, size)

    def _key(self, event: Event, events: Iterator[Event], path: Path) -> str:
        if not isinstance(event, (ScalarEvent, AliasEvent)):
            raise YamlFaults([f"line {event.start_mark.line + 1}: a key is a list or a map: write text"])
        before = len(self.faults)
        value = self._build(event, events, path).value
        if isinstance(value, (dict, list)):
            raise YamlFaults([f"line {self.line}: a key is a list or a map: write text"])
        text = event.value if isinstance(event, ScalarEvent) else str(value)
        if len(self.faults) > before:
            return text
        try:
            key = resolve_key(text, value)
        except ValueError as error:
            self.faults.append(f"line {self.line}: {error}")
            return text
        # The root's keys and those below config: are names to Pulumi, which takes no number there.
        if len(path) < 2 and not isinstance(value, str):
            self.faults.append(f"line {self.line}: the key {key} is not text: put it in quotes")
        return key

    def _merged(self, value: object, line: int) -> list[dict[str, object]]:
        given = value if is_list(value) else [value]
        maps = [one for one in given if is_object(one)]
        if len(maps) < len(given):
            self.faults.append(f"line {line}: << takes a map, or a list of maps")
        return maps

    def _fault(self, path: Path, text: str) -> None:
        self.faults.append(f"line {self.line}: {_place(path)}{text}")


def _tag(event: Event) -> str | None:
    """Return `str` for `!!str`, and other tags as they are written."""
    tag = event.tag if isinstance(event, (ScalarEvent, CollectionStartEvent)) else None
    return tag.removeprefix(YAML_TAG) if tag else None


def _tag_as_written(event: Event) -> str:
    tag = _tag(event) or ""
    return tag if tag.startswith("!") else f"!!{tag}"


def _place(path: Path) -> str:
    """Return the key of a value, as `pulumi config set --path` takes it."""
    steps = path[1:] if path[:1] == ("config",) and len(path) > 1 else path
    return f"{key_path(str(steps[0]), *steps[1:])}: " if steps else ""
