"""docs/how-to/permissions.md: the policies have the actions of every registered type and call, with valid names."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "permissions.md").read_text()
POLICIES: dict[str, Any] = {
    part.partition("\n")[0]: json.loads(part.split("```json\n")[1].split("```")[0])
    for part in PAGE.split("\n## ")
    if "```json" in part
}
"""Heading -> policy."""
EVERY = "Every stack"
FOLDERS = {
    EVERY: {"nodes", "iam", "controllers", "serving"},
    "A new cluster": {"cluster"},
    "A new network": {"network"},
    "`endpoint`": {"endpoint"},
    "`observability.prometheus`": {"observability"},
    "`observability.logs`": {"logs"},
    "`weights.source: s3`": {"weights"},
}
"""The folders of components that each policy is for."""
MOST_CHARACTERS = 4000
"""IAM allows 6,144, so there is room for own actions."""
FACTS = json.loads((ROOT / "tests" / "data" / "iam_actions.json").read_text())
STATEMENTS = [one for policy in POLICIES.values() for one in policy["Statement"]]
ACTIONS = [action for one in STATEMENTS for action in one["Action"]]
MODELS = {"aps": "amp", "elasticloadbalancing": "elbv2", "servicequotas": "service-quotas"}
"""Services whose botocore name differs from their IAM prefix."""
READS = ("Read", "ReadOfEndpoint", "AccessLogsBucket")
"""Statements of the checks and of `vllm-eks leftovers`."""
HELD_BY_ANOTHER_PAGE = {"sts:AssumeRole", "pricing:GetProducts"}


def actions_of(part: str) -> set[str]:
    return {action for one in POLICIES[part]["Statement"] for action in one["Action"]}


def allowed(action: str, patterns: Iterable[str] = ACTIONS) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)


def types_in_the_code(folder: str = "") -> set[str]:
    """Return the types that a folder's components create: `aws.ec2.Vpc(...)`, but none in its arguments."""
    text = "".join(path.read_text() for path in (ROOT / "components" / folder).rglob("*.py"))
    made = re.findall(r"\baws\.(\w+)\.([A-Z]\w+)\(", text)
    types = {f"aws:{module}/{name[0].lower()}{name[1:]}:{name}" for module, name in made if not name.endswith("Args")}
    inside_eks = re.findall(r"(?<!\.)\beks\.([A-Z]\w+)\(", text)
    return types | {f"eks:index:{name}" for name in inside_eks if not name.endswith("Args")}


def needed_by(part: str) -> set[str]:
    types = {type_ for folder in FOLDERS[part] for type_ in types_in_the_code(folder)}
    return {action for type_ in types for actions in FACTS["types"][type_].values() for action in actions}


def test_every_type_that_the_program_makes_has_its_actions() -> None:
    assert types_in_the_code() == FACTS["types"].keys()
    for type_, parts in FACTS["types"].items():
        assert parts["create"], type_
        assert parts["read"], type_


def test_the_code_is_searched_as_it_is_written() -> None:
    assert {"aws:ec2/vpc:Vpc", "aws:iam/role:Role", "eks:index:Cluster"} <= types_in_the_code()
    folders = {path.name for path in (ROOT / "components").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert set().union(*FOLDERS.values()) == folders


@pytest.mark.parametrize("part", FOLDERS)
def test_a_part_needs_its_own_policy_and_that_of_every_stack(part: str) -> None:
    own = [*actions_of(EVERY), *actions_of(part)]
    assert {action for action in needed_by(part) if not allowed(action, own)} == set()


@pytest.mark.parametrize("part", FOLDERS)
def test_nothing_is_allowed_that_nothing_needs(part: str) -> None:
    own = {
        one for statement in POLICIES[part]["Statement"] if statement["Sid"] not in READS for one in statement["Action"]
    }
    needed = set().union(*map(needed_by, FOLDERS)) if part == EVERY else needed_by(part)
    assert own - needed - {"iam:PassRole", "iam:CreateServiceLinkedRole"} == set()
    assert part == EVERY or {action for action in own if allowed(action, actions_of(EVERY))} <= {
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
    }


def test_the_policy_allows_the_actions_of_checks_and_leftovers() -> None:
    named = ("explanation/account-checks", "how-to/existing", "how-to/pins", "how-to/doctor")
    pages = [ROOT / "docs" / f"{name}.md" for name in named]
    asked = {action for page in pages for action in re.findall(r"`([a-z0-9-]+:[A-Z]\w+)`", page.read_text())}
    calls = re.findall(
        r'"(amp|ec2|eks|elb|elbv2|autoscaling|logs|kms|iam|route53|s3)",\s+"([a-z_]+)"',
        "".join(path.read_text() for folder in ("checks", "vllm_eks") for path in (ROOT / folder).rglob("*.py")),
    )
    names = {"amp": "aps", "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
    asked |= {
        f"{names.get(service, service)}:{''.join(map(str.capitalize, call.split('_')))}" for service, call in calls
    }
    assert len(asked) > 20
    assert {action for action in asked - HELD_BY_ANOTHER_PAGE if not allowed(action)} == set()


@pytest.mark.parametrize("service", sorted({action.partition(":")[0] for action in ACTIONS}))
def test_every_action_is_one_of_aws(service: str) -> None:
    model = Loader().load_service_model(MODELS.get(service, service), "service-2")
    known = set(model["operations"])
    for action in (one for one in ACTIONS if one.startswith(f"{service}:")):
        name = FACTS["other_names"].get(action, action.partition(":")[2])
        assert name is None or any(fnmatchcase(one, name) for one in known), action


def test_roles_go_only_to_the_services_that_the_program_s_roles_trust() -> None:
    text = "".join(path.read_text() for path in (ROOT / "components").rglob("*.py"))
    trusted = set(re.findall(r'"([a-z0-9.-]+\.amazonaws\.com)"', text))
    passing = [one for one in STATEMENTS if one["Action"] == ["iam:PassRole"]]
    passed = [to for one in passing for to in one["Condition"]["StringEquals"]["iam:PassedToService"]]
    # pulumi-eks creates the control plane's role itself.
    assert sorted(passed) == sorted(trusted | {"eks.amazonaws.com"})


def test_each_policy_is_far_below_the_limit_of_a_managed_one() -> None:
    sizes = {part: len("".join(json.dumps(policy).split())) for part, policy in POLICIES.items()}
    assert sizes.keys() == FOLDERS.keys()
    assert len(sizes) <= 10
    assert {part: size for part, size in sizes.items() if size > MOST_CHARACTERS} == {}
    assert f"None of these has more than {MOST_CHARACTERS:,}" in PAGE
