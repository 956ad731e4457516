"""`aws:amp`: workspace, its rules and its alert manager.

ForceNew as in the Terraform provider (internal/service/amp).
"""

from tests.e2e.aws_types.kind import Kind, Properties


class _OfPrometheus(Kind):
    """A resource of Amazon Managed Service for Prometheus."""

    service = "amp"


class Workspace(_OfPrometheus):
    """A workspace."""

    computed = ("arn", "prometheusEndpoint")

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it."""
        made = self.client.create_workspace(alias=inputs["alias"], tags=inputs.get("tags") or {})
        return made["workspaceId"], self._outputs(made["workspaceId"], inputs)

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return what the account says of it."""
        return self._outputs(id, state)

    def delete(self, id: str, state: Properties) -> None:
        """Delete it with its rules and metrics."""
        self.client.delete_workspace(workspaceId=id)

    def _outputs(self, id: str, state: Properties) -> Properties:
        found = self.client.describe_workspace(workspaceId=id)["workspace"]
        return {**state, "arn": found["arn"], "prometheusEndpoint": found["prometheusEndpoint"]}


class AlertManagerDefinition(_OfPrometheus):
    """The alert manager of a workspace. The emulated account (moto 5.2.5) has none: only the workspace is checked."""

    tags = False
    force = ("workspaceId",)

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it if its workspace exists."""
        self.client.describe_workspace(workspaceId=inputs["workspaceId"])
        return inputs["workspaceId"], dict(inputs)

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the workspace exists."""
        self.client.describe_workspace(workspaceId=id)
        return state

    def delete(self, id: str, state: Properties) -> None:
        """Delete it if its workspace exists."""
        self.client.describe_workspace(workspaceId=id)


class RuleGroupNamespace(_OfPrometheus):
    """The rules of a stack in a workspace."""

    force = ("name", "workspaceId")
    computed = ("arn",)

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create them."""
        arn = self.client.create_rule_groups_namespace(
            workspaceId=inputs["workspaceId"],
            name=inputs["name"],
            data=inputs["data"].encode(),
            tags=inputs.get("tags") or {},
        )["arn"]
        return arn, {**inputs, "arn": arn}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state with the rules that the account has."""
        found = self.client.describe_rule_groups_namespace(workspaceId=state["workspaceId"], name=state["name"])
        return {**state, "data": found["ruleGroupsNamespace"]["data"].decode()}

    def update(self, id: str, old: Properties, new: Properties) -> None:
        """Change the rules."""
        self.client.put_rule_groups_namespace(
            workspaceId=new["workspaceId"], name=new["name"], data=new["data"].encode()
        )

    def delete(self, id: str, state: Properties) -> None:
        """Delete them."""
        self.client.delete_rule_groups_namespace(workspaceId=state["workspaceId"], name=state["name"])
