"""docs/how-to/permissions.md: the policy has the actions of every registered type and call, with valid names."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "permissions.md").read_text()
POLICY: dict[str, Any] = json.loads(PAGE.split("```json\n")[1].split("```")[0])
STATEMENTS = {one["Sid"]: one for one in POLICY["Statement"]}
FACTS = json.loads((ROOT / "tests" / "data" / "iam_actions.json").read_text())
ACTIONS = [action for one in POLICY["Statement"] for action in one["Action"]]
MODELS = {"aps": "amp", "elasticloadbalancing": "elbv2", "servicequotas": "service-quotas"}
"""Services whose botocore name differs from their IAM prefix."""
HELD_BY_ANOTHER_PAGE = {"sts:AssumeRole", "pricing:GetProducts"}


def allowed(action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in ACTIONS)


def types_in_the_code() -> set[str]:
    """Return the types that a component creates: `aws.ec2.Vpc(...)`, but none in its arguments."""
    text = "".join(path.read_text() for path in (ROOT / "components").rglob("*.py"))
    made = re.findall(r"\baws\.(\w+)\.([A-Z]\w+)\(", text)
    types = {f"aws:{module}/{name[0].lower()}{name[1:]}:{name}" for module, name in made if not name.endswith("Args")}
    inside_eks = re.findall(r"(?<!\.)\beks\.([A-Z]\w+)\(", text)
    return types | {f"eks:index:{name}" for name in inside_eks if not name.endswith("Args")}


def test_every_type_that_the_program_makes_has_its_actions_and_the_policy_allows_them() -> None:
    assert types_in_the_code() == FACTS["types"].keys()
    for type_, parts in FACTS["types"].items():
        assert parts["create"], type_
        assert parts["read"], type_
        missing = [action for actions in parts.values() for action in actions if not allowed(action)]
        assert missing == [], type_


def test_the_code_is_searched_as_it_is_written() -> None:
    assert {"aws:ec2/vpc:Vpc", "aws:iam/role:Role", "eks:index:Cluster"} <= types_in_the_code()


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


def test_nothing_is_allowed_that_nothing_needs() -> None:
    needed = {action for parts in FACTS["types"].values() for actions in parts.values() for action in actions}
    idle = {one for sid, statement in STATEMENTS.items() if sid != "Read" for one in statement["Action"]} - needed
    assert idle == set()


def test_roles_go_only_to_the_services_that_the_program_s_roles_trust() -> None:
    text = "".join(path.read_text() for path in (ROOT / "components").rglob("*.py"))
    trusted = set(re.findall(r'"([a-z0-9.-]+\.amazonaws\.com)"', text))
    passed = STATEMENTS["PassRoles"]["Condition"]["StringEquals"]["iam:PassedToService"]
    # pulumi-eks creates the control plane's role itself.
    assert set(passed) == trusted | {"eks.amazonaws.com"}


def test_it_fits_into_one_managed_policy() -> None:
    size = len("".join(json.dumps(POLICY).split()))
    assert size <= 6144
    assert f"{size:,} characters" in PAGE
