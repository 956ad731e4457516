"""The lab's AWS provider with the types of this folder.

Usage: provider.py FOLDER, which is the lab's folder of its provider. The lab's own Python runs it.
"""

import importlib
import sys
from pathlib import Path


def main(folder: str) -> None:
    """Register the types with the lab's provider, and start it."""
    # The lab's modules have general names, such as `core`, and come first.
    sys.path[:1] = [folder, str(Path(__file__).parents[3])]
    from tests.e2e.aws_types import load_balancers, others, prometheus

    provider, core = importlib.import_module("provider"), importlib.import_module("core")
    added = {
        "aws:amp/alertManagerDefinition:AlertManagerDefinition": prometheus.AlertManagerDefinition,
        "aws:amp/ruleGroupNamespace:RuleGroupNamespace": prometheus.RuleGroupNamespace,
        "aws:amp/workspace:Workspace": prometheus.Workspace,
        "aws:ebs/volume:Volume": others.Volume,
        "aws:lb/listener:Listener": load_balancers.Listener,
        "aws:lb/listenerRule:ListenerRule": load_balancers.ListenerRule,
        "aws:lb/loadBalancer:LoadBalancer": load_balancers.LoadBalancer,
        "aws:lb/targetGroup:TargetGroup": load_balancers.TargetGroup,
        "aws:route53/record:Record": others.Record,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": others.SecurityGroupEgressRule,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": others.SecurityGroupIngressRule,
        "aws:wafv2/webAclAssociation:WebAclAssociation": others.WebAclAssociation,
    }
    for token, kind in added.items():
        if token not in core.RESOURCES:  # a lab that has a type of its own knows better
            core.RESOURCES[token] = kind(core.client)
    attachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    core.RESOURCES[attachment] = others.RolePolicyAttachment(core.client, core.RESOURCES[attachment])
    provider.main()


if __name__ == "__main__":
    main(sys.argv[1])
