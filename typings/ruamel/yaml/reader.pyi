from ruamel.yaml.error import YAMLError

class ReaderError(YAMLError):
    position: int | None
    character: int | str | bytes
