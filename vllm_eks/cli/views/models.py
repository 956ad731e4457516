"""The models of a stack: a full plan for each if there are few, or else a table."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console

from vllm_eks.cli.views.plan import HANG, memory_table, summary_lines
from vllm_eks.cli.views.screen import say, table
from vllm_eks.planner.engine.startup import HUGGING_FACE
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.preview.recording import Recording

MAX_IN_FULL = 2
"""Maximum number of models whose plan and GPUs are shown in full."""
MAX_NAMES = 3
COMMIT = re.compile(r"[0-9a-f]{40}")
RELEASE = "kubernetes:helm.sh/v3:Release"


def show_models(recording: Recording, out: Console) -> None:
    """Print the plans of all models."""
    fleet = recording.fleet
    if len(fleet) > MAX_IN_FULL:
        out.print(_table(fleet, out))
        say(out, "TP: GPUs in one node that share each layer. PP: pipeline stages. USD/h: price of the GPU nodes.")
        say(out, "For a full plan: vllm-eks plan MODEL --instance-type TYPE")
    else:
        for name, nodes in fleet.items():
            _show_one(name, nodes, out)
    for line in [*client_lines(recording.clients), *_notes(fleet), *_unpinned(recording)]:
        say(out, line)


def _show_one(name: str, nodes: GpuNodes, out: Console) -> None:
    say(out, f"[{name}]" + (" parked: no nodes run" if nodes.parked else ""))
    for line in summary_lines(nodes.plan):
        say(out, line, hang=HANG)
    out.print()
    if nodes.plan.layout:
        out.print(memory_table(nodes.plan.layout, out))
    out.print()


def _table(fleet: Mapping[str, GpuNodes], out: Console):  # noqa: ANN202  (a rich renderable)
    numbers = ("replicas", "context", "KV tokens", "requests", "start s", "USD/h")
    made = table(out, "name", "nodes", "TP x PP", *numbers, "model", right=frozenset(numbers))
    for name, nodes in fleet.items():
        plan, sizes = nodes.plan, nodes.plan.sizes
        made.add_row(
            name,
            f"parked ({plan.instance.type})" if nodes.parked else f"{nodes.total} x {plan.instance.type}",
            f"{sizes.tensor_parallel_size} x {sizes.pipeline_parallel_size}" if sizes else "",
            str(plan.replicas),
            f"{plan.options.max_model_len:,}",
            "unknown" if plan.stated else f"{plan.kv_cache_tokens:,}",
            "unknown" if plan.stated else f"{plan.max_concurrency:g}",
            f"{plan.startup.budget_seconds:,}",
            "unknown" if nodes.usd_per_hour is None else f"{nodes.usd_per_hour:,.2f}",
            plan.model.id,
        )
    return made


def _notes(fleet: Mapping[str, GpuNodes]) -> Iterable[str]:
    """Yield each note once, with the models it is about."""
    about: dict[str, list[str]] = defaultdict(list)
    for name, nodes in fleet.items():
        for note in nodes.plan.notes:
            about[note].append(name)
    for note, names in about.items():
        yield f"note: {note}" if len(fleet) == 1 else f"note on {named(names)}: {note}"


def _unpinned(recording: Recording) -> Iterable[str]:
    """Yield the models without a pinned commit, because two starts may load different weights."""
    revisions = {
        one.inputs["name"]: one.inputs["values"]["model"].get("revision")
        for one in recording.of_type(RELEASE)
        if "model" in (one.inputs.get("values") or {})
    }
    names = [
        name
        for name, nodes in recording.fleet.items()
        if nodes.plan.options.weights_source == HUGGING_FACE and not COMMIT.fullmatch(revisions.get(name) or "")
    ]
    if names:
        yield (
            f"note on {named(names)}: no commit is pinned, so each start on a new node downloads the newest commit "
            f"of the model's repository: set revision, or run vllm-eks lock ORGANIZATION/NAME"
        )


def client_lines(clients: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Yield the named clients, one line for all models with the same ones."""
    models_of: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for model, names in clients.items():
        models_of[tuple(names)].append(model)
    for names, models in models_of.items():
        whose = "" if len(models_of) == 1 else f" of {', '.join(models)}"
        yield f"named clients{whose}: {', '.join(names) or 'none, only the keys of the stack'}"


def named(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
