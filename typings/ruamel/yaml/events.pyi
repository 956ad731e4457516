from ruamel.yaml.error import StreamMark

class Event:
    start_mark: StreamMark
    end_mark: StreamMark

class NodeEvent(Event):
    anchor: str | None

class AliasEvent(NodeEvent):
    anchor: str

class ScalarEvent(NodeEvent):
    value: str
    style: str | None
    @property
    def tag(self) -> str | None: ...

class CollectionStartEvent(NodeEvent):
    flow_style: bool | None
    @property
    def tag(self) -> str | None: ...

class SequenceStartEvent(CollectionStartEvent): ...
class MappingStartEvent(CollectionStartEvent): ...
class CollectionEndEvent(Event): ...
class SequenceEndEvent(CollectionEndEvent): ...
class MappingEndEvent(CollectionEndEvent): ...
class StreamStartEvent(Event): ...
class StreamEndEvent(Event): ...
