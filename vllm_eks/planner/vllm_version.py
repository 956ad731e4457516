"""vLLM versions as three numbers, and the versions that the planner supports."""

import re

from vllm_eks.errors import WrongQuestion

Version = tuple[int, int, int]


OLDEST: Version = (0, 8, 0)
"""The planner models the V1 engine, which became the default in 0.8."""


OLDEST_READ: Version = (0, 10, 0)
"""The oldest version whose source was read. 0.8 and 0.9 use the rules of 0.10, with a note on the plan."""


NEWEST_READ: Version = (0, 33, 0)


def parse_version(text: str) -> Version:
    """Return (major, minor, patch) of a vLLM version such as 0.21.0, 0.11.1 or v0.20.2.post1.

    Raises:
        WrongQuestion: The text is not a version, or the planner does not support the version.
    """
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:\.\d+)?(?:[.+-]?(?:post|rc|dev|cu).*)?", text.strip())
    if not match:
        raise WrongQuestion(f'vLLM version {text!r} must look like "0.21.0"')
    version = (int(match[1]), int(match[2]), int(match[3] or 0))
    if not OLDEST <= version < (NEWEST_READ[0], NEWEST_READ[1] + 1, 0):
        raise WrongQuestion(f"vLLM {text} is not supported: use 0.{OLDEST[1]} to 0.{NEWEST_READ[1]}")
    return version
