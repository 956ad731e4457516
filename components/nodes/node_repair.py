"""When EKS automatically replaces or reboots a node."""

import pulumi_aws as aws

REPAIR_AFTER_MINUTES = 10

NODE_REPAIR: aws.eks.NodeGroupNodeRepairConfigArgsDict = {
    "enabled": True,
    "node_repair_config_overrides": [
        # It means that the monitoring agent lost its own DCGM host engine, not that a GPU is broken. GPU errors have
        # other reasons (NvidiaXID..., DCGMHealthCode...), which keep EKS's default actions.
        {
            "node_monitoring_condition": "AcceleratedHardwareReady",
            "node_unhealthy_reason": "DCGMError",
            "min_repair_wait_time_mins": REPAIR_AFTER_MINUTES,
            "repair_action": "NoAction",
        }
    ],
}
"""For GPU nodes. Sources: EKS user guide "Automatically repair nodes", eks-node-monitoring-agent v1.7.0."""
