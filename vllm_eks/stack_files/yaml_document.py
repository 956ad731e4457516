"""Reads one YAML document as Pulumi does, and refuses values that Pulumi refuses or reads in a surprising way.

ruamel.yaml parses YAML 1.2. `yaml_builder` and `yaml_scalars` create the values by the rules of Pulumi's reader, with a
line for each error and limits on how much a short file can expand.
"""

import re

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from vllm_eks.stack_files.yaml_builder import MAX_LEVELS, TABBED_LINE, DocumentBuilder, YamlErrors
from vllm_eks.text_files import deepest_line

MAX_OPEN_BRACKETS = 4 * MAX_LEVELS
"""Limit of open brackets, including those in quotes. It is checked before the parser runs."""
MAX_ERRORS = 20

LINE_BREAK = re.compile("[\x85\u2028\u2029]")
"""Characters that end a line only in some YAML versions."""


def parse_document(text: str) -> object:
    """Return the single document of a YAML text, or None when it is empty.

    Raises:
        YamlErrors: It is not YAML, or has values that Pulumi refuses or reads in a surprising way.
    """
    if found := LINE_BREAK.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise YamlErrors([f"line {line}: the invisible line break U+{ord(found[0]):04X} is not allowed: remove it"])
    if line := deepest_line(text, levels=MAX_OPEN_BRACKETS):
        raise YamlErrors([f"line {line}: nested more than {MAX_LEVELS} levels deep"])
    builder = DocumentBuilder(text)
    try:
        document = builder.document()
    except YamlErrors:
        raise
    except ReaderError as error:
        line = text.count("\n", 0, error.position or 0) + 1
        code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
        raise YamlErrors([f"line {line}: the control character U+{code:04X} is not allowed: remove it"]) from None
    except MarkedYAMLError as error:
        raise YamlErrors([_syntax_error(text, error)]) from None
    except Exception:  # unexpected parser errors, so that no file causes a traceback
        raise YamlErrors([f"line {builder.line}: not YAML: a value cannot be read"]) from None
    errors = builder.errors or [
        f"line {line}: the indentation has a tab: use spaces" for line in builder.tabbed_lines()
    ]
    if errors:
        more = [f"and {len(errors) - MAX_ERRORS} more"] if len(errors) > MAX_ERRORS else []
        raise YamlErrors(errors[:MAX_ERRORS] + more)
    return document


def _syntax_error(text: str, error: MarkedYAMLError) -> str:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    lines = text.splitlines()
    if line <= len(lines) and TABBED_LINE.match(lines[line - 1]):
        return f"line {line}: the indentation has a tab: use spaces"
    if "\\t" in str(error.problem):
        return f"line {line}: a tab is not allowed here: use spaces"
    return f"line {line}: not YAML: {' '.join(str(error.problem or error.context).split())}"
