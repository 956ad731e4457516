"""The question of `vllm-eks size` from its options, with all errors at once and before anything is computed."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vllm_eks.cli.options import known_region_option
from vllm_eks.cli.together import Checks
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.load.numbers import plain
from vllm_eks.planner.load.reading import read_words
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import TrafficWords, option_name
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.sizing.candidates import types_of, with_context
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.vllm_version import parse_version

if TYPE_CHECKING:
    from vllm_eks.stack_files.sized_model import PlaceToWrite

MOST_HEADROOM_PERCENT = 900
MOST_NODES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class SizeOptions:
    """The options, as they are written."""

    model: str
    words: TrafficWords
    headroom: str
    family: str | None
    region: str
    max_nodes: str | None
    vllm_version: str
    spot: bool
    as_json: bool
    plot: Path | None
    """An SVG file to write."""
    write: str | None
    """A stack to write the choice to."""
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The question, and the stack file for the answer."""

    question: SizeQuestion
    place: "PlaceToWrite | None"


def ask(given: SizeOptions) -> Asked:
    """Return the question.

    Raises:
        WrongQuestion: Options are wrong, or the answer could not be written. The message has all errors.
    """
    checks = Checks()
    model = checks.run(lambda: load_model(given.model))
    read = read_words(given.words, option_name)
    checks.add(error.named(option_name) for error in read.errors)
    headroom = checks.run(lambda: _headroom(given.headroom))
    region = checks.run(lambda: known_region_option(given.region))
    checks.run(lambda: types_of(given.family, given.region if region.is_right else ""))
    max_nodes = checks.run(lambda: _max_nodes(given.max_nodes))
    version = checks.run(lambda: parse_version(given.vllm_version))
    options = ServingOptions(vllm_version=given.vllm_version)
    if model.is_right and version.is_right and read.traffic and not read.errors:
        traffic = read.traffic
        checks.run(lambda: _fits_the_context(model.value, options, traffic))
    checks.run(lambda: _require_svg(given.plot))
    place = checks.run(lambda: _place(given))
    if version.is_right:
        checks.run(lambda: _require_the_stack_s_version(given))
    checks.end()
    if read.traffic is None or read.level is None:
        raise WrongQuestion("the traffic has a value of a wrong kind")
    question = SizeQuestion(
        model=model.value,
        options=options,
        traffic=read.traffic,
        level=read.level,
        headroom=headroom.value,
        region=region.value,
        family=given.family,
        max_nodes=max_nodes.value,
    )
    return Asked(question=question, place=place.value)


def _fits_the_context(model: ModelFacts, options: ServingOptions, traffic: Traffic) -> None:
    with_context(model, options, traffic)


def _headroom(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    try:
        percent = float(number)
    except ValueError:
        raise WrongQuestion(f"--headroom {text!r} is not a percentage: write it like 20%") from None
    if not 0 <= percent <= MOST_HEADROOM_PERCENT:
        raise WrongQuestion(f"--headroom {text} must be from 0% to {MOST_HEADROOM_PERCENT}%")
    return percent / 100


def _max_nodes(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        raise WrongQuestion(f"--max-nodes {text!r} is not a whole number: write one such as 2")
    if digits != text.strip() or len(digits) > len(str(MOST_NODES)) or not 1 <= int(digits) <= MOST_NODES:
        raise WrongQuestion(f"--max-nodes {text} must be from 1 to {plain(MOST_NODES)}")
    return int(digits)


def _require_svg(file: Path | None) -> None:
    """Refuse a plot that cannot be written, before the answer is computed."""
    if file is None:
        return
    if file.suffix.lower() != ".svg":
        raise WrongQuestion(f"--plot {file}: the file is written as SVG: use a name that ends in .svg")
    if file.is_dir():
        raise WrongQuestion(f"--plot {file} is a folder: name a file in it")
    if not file.parent.is_dir():
        raise WrongQuestion(f"--plot {file}: there is no folder {file.parent}: create it first")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise WrongQuestion(f"--plot {file} cannot be written: use a file in a writable folder")


def _require_the_stack_s_version(given: SizeOptions) -> None:
    if given.write is not None and given.vllm_version != DEFAULT_VLLM_VERSION:
        raise WrongQuestion(
            f"--vllm-version {given.vllm_version} is not that of a new model in a stack, {DEFAULT_VLLM_VERSION}: leave "
            "it out, or leave out --write"
        )


def _place(given: SizeOptions) -> "PlaceToWrite | None":
    if given.write is None:
        return None
    # Imported here, because only --write reads YAML.
    from vllm_eks.stack_files.sized_model import place_to_write

    return place_to_write(given.folder, given.write, model=given.model, region=given.region)
