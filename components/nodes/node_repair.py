"""When EKS replaces or reboots a node by itself."""

import pulumi_aws as aws

REPAIR_AFTER_MINUTES = 10

NODE_REPAIR: aws.eks.NodeGroupNodeRepairConfigArgsDict = {
    "enabled": True,
    "node_repair_config_overrides": [
        # It says that the monitoring agent lost its own DCGM host engine, not that a GPU is broken: that is reported
        # under other reasons (NvidiaXID..., DCGMHealthCode...), which keep EKS's own actions.
        {
            "node_monitoring_condition": "AcceleratedHardwareReady",
            "node_unhealthy_reason": "DCGMError",
            "min_repair_wait_time_mins": REPAIR_AFTER_MINUTES,
            "repair_action": "NoAction",
        }
    ],
}
"""Of GPU nodes. Sources: EKS user guide "Automatically repair nodes", eks-node-monitoring-agent v1.7.0."""
