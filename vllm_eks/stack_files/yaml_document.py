"""Reads one YAML document as Pulumi does, and refuses values that Pulumi refuses or reads in a surprising way.

ruamel.yaml parses YAML 1.2. `yaml_builder` and `yaml_scalars` create the values by the rules of Pulumi's reader, with a
line for each error and limits on how much a short file can expand.
"""

import re

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from vllm_eks.stack_files.yaml_builder import MOST_LEVELS, TABBED_LINE, DocumentBuilder, YamlFaults
from vllm_eks.text_files import deepest_line

MOST_BRACKETS = 4 * MOST_LEVELS
"""Limit of open brackets, including those in quotes. It is checked before the parser runs."""
MOST_FAULTS = 20

LINE_BREAK = re.compile("[\x85\u2028\u2029]")
"""Characters that end a line only in some YAML versions."""


def parse_document(text: str) -> object:
    """Return the single document of a YAML text, or None when it is empty.

    Raises:
        YamlFaults: It is not YAML, or has values that Pulumi refuses or reads in a surprising way.
    """
    if found := LINE_BREAK.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise YamlFaults([f"line {line}: the invisible line break U+{ord(found[0]):04X} is not allowed: remove it"])
    if line := deepest_line(text, levels=MOST_BRACKETS):
        raise YamlFaults([f"line {line}: is nested more than {MOST_LEVELS} levels deep"])
    builder = DocumentBuilder(text)
    try:
        document = builder.document()
    except YamlFaults:
        raise
    except ReaderError as error:
        line = text.count("\n", 0, error.position or 0) + 1
        code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
        raise YamlFaults([f"line {line}: the control character U+{code:04X} is not allowed: remove it"]) from None
    except MarkedYAMLError as error:
        raise YamlFaults([_syntax_fault(text, error)]) from None
    except Exception:  # unexpected parser errors, so that no file causes a traceback
        raise YamlFaults([f"line {builder.line}: not YAML: a value here cannot be read"]) from None
    faults = builder.faults or [
        f"line {line}: begins with a tab: indent with spaces" for line in builder.tabbed_lines()
    ]
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        raise YamlFaults(faults[:MOST_FAULTS] + more)
    return document


def _syntax_fault(text: str, error: MarkedYAMLError) -> str:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    lines = text.splitlines()
    if line <= len(lines) and TABBED_LINE.match(lines[line - 1]):
        return f"line {line}: begins with a tab: indent with spaces"
    if "\\t" in str(error.problem):
        return f"line {line}: has a tab where YAML takes spaces: write spaces"
    return f"line {line}: not YAML: {' '.join(str(error.problem or error.context).split())}"
