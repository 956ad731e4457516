"""Reference pages from tables in the code: refusal codes, stack outputs, and the keys of `--json`."""

from components.output_texts import MODEL_OUTPUTS, STACK_OUTPUTS
from tools.reference.markdown import page, table
from vllm_eks.cli.views.json_keys import BENCH_KEYS, DOCTOR_KEYS, LEFTOVERS_KEYS, PINS_KEYS, PLAN_KEYS, PREVIEW_KEYS
from vllm_eks.cli.views.size_json import SIZE_KEYS
from vllm_eks.planner.engine.refusal_codes import REFUSAL_CODES


def refusal_codes_page() -> str:
    """Return `docs/reference/refusal-codes.md`."""
    rows = [(f"`{code}`", text.cause, text.fix) for code, text in REFUSAL_CODES.items()]
    return page("refusal-codes.md", {"codes": table(("code", "cause", "fix"), rows)})


def outputs_page() -> str:
    """Return `docs/reference/outputs.md`."""
    places = {
        name: table(("output", "meaning"), [(f"`{output}`", text) for output, text in outputs.items()])
        for name, outputs in (("stack", STACK_OUTPUTS), ("model", MODEL_OUTPUTS))
    }
    return page("outputs.md", places)


def json_page() -> str:
    """Return `docs/reference/json.md`."""
    commands = {
        "plan": PLAN_KEYS,
        "preview": PREVIEW_KEYS,
        "doctor": DOCTOR_KEYS,
        "leftovers": LEFTOVERS_KEYS,
        "pins": PINS_KEYS,
        "bench": BENCH_KEYS,
        "size": SIZE_KEYS,
    }
    places = {
        name: table(("key", "meaning"), [(f"`{key}`", text) for key, text in keys.items()])
        for name, keys in commands.items()
    }
    return page("json.md", places)
