"""Trust policies of roles."""

import json


def service_trust_policy(service: str) -> str:
    """Return the policy, as JSON, that lets one AWS service assume a role.

    Args:
        service: The service's principal, such as `ec2.amazonaws.com`.
    """
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
