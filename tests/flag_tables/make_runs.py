"""Prints which arguments the live parser of a vLLM version accepts: every flag with sample values, and some lists.

Runs like tests/flag_tables/make_table.py:

    PYTHONPATH=unpacked-wheel python tests/flag_tables/make_runs.py 0.27.0 > tests/data/vllm_flag_runs/0.27.0.json
"""

import argparse
import contextlib
import importlib
import io
import json
import sys
from typing import NoReturn

from tests.flag_tables.make_table import keys_of, parser_module

SAMPLES = ("", "x", "12", "-1", "1.5", "32k", "32K", "1.5K", "auto", "None", "{}", '{"zzz": 1}', "[1]", "true", "x y")
"""One value for each flag. The first means no value."""
JSON_SAMPLES = (True, False, 0, 1, 2, -1, 1.5, "x", "4", "true", "auto", [], [1], {}, {"zzz": 1}, None, "NONE")
"""One value for each key of each JSON object that the parser checks."""
PASSED_OVER = ("--config", "--help", "-h")
"""Flags that open a file or end the program."""

LISTS = (
    ["--seed", "7", "--trust_remote_code", "--stream-interval=4", "-O3"],
    ["--seed", "7", "8"],
    ["7"],
    ["--swap-space", "16"],
    ["--device", "cuda"],
    ["--task", "embed"],
    ["--tensor", "2"],
    ["--max", "3"],
    ["-n2"],
    ["-n=2"],
    ["-t", "2"],
    ["-tp", "2"],
    ["-tp=2"],
    ["-tp2"],
    ["-O", "3"],
    ["-O=3"],
    ["-O"],
    ["-Ox"],
    ["--no_enforce_eager"],
    ["--no-enable-chunked-prefill"],
    ["--disable-chunked-prefill"],
    ["--disable-log-requests"],
    ["--enforce-eager=true"],
    ["--enforce-eager", "false"],
    ["--enforce-eager", "--no-enforce-eager", "--seed", "1"],
    ["--compilation-config.cudagraph_mode", "NONE", "--compilation-config.mode=3"],
    ["--compilation-config.zzz", "1"],
    ["-cc.mode=3"],
    ["-cc.compile_sizes+=1,2"],
    ["--seed.x", "1"],
    ["--chat-template", "-x"],
    ["--chat-template", "-x y"],
    ["--chat-template=-x"],
    ["--logits-processors", "a", "b", "--seed", "1"],
    ["--middleware", "a", "--middleware", "b"],
    ["--enable-lora", "--lora-modules", "a=b", "c=d"],
    ["--max-lora-rank", "320"],
    ["--max-lora-rank", "12"],
    ["--hf-token"],
    ["--moe-backend", "Deep-GEMM"],
    ["--dtype", "Auto"],
    ["--allowed-origins", '["*"]'],
    ["--allowed-origins", "*"],
    ["--", "--seed", "1"],
    ["-"],
    ["-Z"],
    ["---seed", "1"],
)


def main() -> None:
    """Print the results as JSON: 1 if the parser accepts the arguments."""
    version = sys.argv[1]
    empty = importlib.import_module("vllm.utils.argparse_utils").FlexibleArgumentParser()
    parser = parser_module().make_arg_parser(empty)
    parser.error = refuse  # the parser's own handler first prints its whole usage, which takes long
    flags = [name for name in parser._option_string_actions if name not in PASSED_OVER]
    document = {
        "vllm": version,
        "samples": SAMPLES,
        "flags": {flag: "".join(str(int(takes(parser, args))) for args in trials(flag)) for flag in sorted(flags)},
        "lists": [[args, takes(parser, args)] for args in LISTS],
        "json": {
            f"{flag} {key}": "".join(str(int(takes(parser, args))) for args in json_trials(flag, key))
            for flag in sorted(flags)
            for key in keys_of(parser._option_string_actions[flag].type)
            if flag.startswith("--")
        },
    }
    heads = [f"{json.dumps(key)}: {json.dumps(document[key])}" for key in ("vllm", "samples")]
    json_rows = [f" {json.dumps(key)}: {json.dumps(found)}" for key, found in document["json"].items()]
    flag_rows = [f" {json.dumps(flag)}: {json.dumps(found)}" for flag, found in document["flags"].items()]
    list_rows = [f" {json.dumps(one)}" for one in document["lists"]]
    rows = [
        '"flags": {\n' + ",\n".join(flag_rows) + "\n}",
        '"lists": [\n' + ",\n".join(list_rows) + "\n]",
        '"json": {\n' + ",\n".join(json_rows) + "\n}",
    ]
    print("{" + ",\n".join([*heads, *rows]) + "}")


def refuse(message: str) -> NoReturn:
    """End one attempt."""
    raise ValueError(message)


def trials(flag: str) -> list[list[str]]:
    """Return the lists of arguments to try for a flag."""
    alone = [[flag, sample] if sample else [flag] for sample in SAMPLES]
    return [*alone, [f"{flag}.a", "1"], [f"{flag}=x"], [flag[:-1]], [flag[:-1], "12"]]


def json_trials(flag: str, key: str) -> list[list[str]]:
    """Return the lists of arguments to try for a key of a JSON object."""
    return [[flag, json.dumps({key: sample})] for sample in JSON_SAMPLES]


def takes(parser: argparse.ArgumentParser, args: list[str]) -> bool:
    """Return whether the parser accepts the arguments, after a model's name."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(["org/model", *args])
        except (SystemExit, Exception):  # vLLM does not start after any error
            return False
    return True


if __name__ == "__main__":
    main()
