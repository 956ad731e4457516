"""The preview as text: the answer first, then the plan, the topology, the costs and the checks."""

from typing import TYPE_CHECKING

import yaml
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from vllm_eks.cli.views.checks import show_checks, show_warnings
from vllm_eks.cli.views.cost import show_costs
from vllm_eks.cli.views.models import show_models
from vllm_eks.cli.views.preview_answer import answer
from vllm_eks.cli.views.resources import resource_tree
from vllm_eks.cli.views.screen import say
from vllm_eks.cli.views.topology import topology
from vllm_eks.preview.recording import Recording

if TYPE_CHECKING:
    from vllm_eks.cli.preview import PreviewOptions

RELEASE = "kubernetes:helm.sh/v3:Release"


def show(recording: Recording, stack: str, out: Console, wanted: "PreviewOptions") -> None:
    """Print the preview. For a refused stack, print only the answer and the reasons."""
    say(out, answer(recording).line)
    if recording.refusal:
        return
    say(out, f"Offline preview of stack {stack} in {recording.region}: nothing is created, and AWS is not contacted.")
    show_warnings(recording, out)
    _part(out, "Plan")
    show_models(recording, out)
    _part(out, "Topology")
    out.print(topology(recording, out))
    if wanted.resources:
        _part(out, "Resources")
        out.print(resource_tree(recording))
    if wanted.values:
        _part(out, "Helm values")
        _show_values(recording, out)
    _part(out, "Price")
    show_costs(recording, out)
    _part(out, "Checks")
    show_checks(recording, out)
    out.print()
    count = sum(one.is_custom for one in recording.registrations)
    say(out, f"{count} resources. --resources lists them, --values prints the Helm values, --json is for scripts.")


def _part(out: Console, title: str) -> None:
    out.print()
    out.print(Rule(title, align="left") if out.is_terminal else Text(f"== {title}"))


def _show_values(recording: Recording, out: Console) -> None:
    for release in recording.of_type(RELEASE):
        values = release.inputs.get("values")
        if values:
            say(out, f"# {release.inputs['name']} ({release.inputs['chart']})")
            # The values contain names of Secrets, but never their content. A secret path would be an error in the
            # program.
            out.print(yaml.safe_dump(values, width=1000).rstrip(), markup=False, soft_wrap=True)
