"""The dashboard of nodes: GPUs, repairs and disks."""

from tools.dashboards.model_page import CLUSTER, OF_CLUSTER
from tools.dashboards.panels import Page, Panel, Query, Row, Variable
from vllm_eks.monitoring import series

OF = f'{OF_CLUSTER},node=~"$node"'
NODE_VARIABLES = (
    CLUSTER,
    Variable(
        name="node",
        label="Node",
        query=f'label_values(kube_node_status_capacity{{{OF_CLUSTER},resource="nvidia_com_gpu"}}, node)',
    ),
)
GPU = "{{node}} GPU {{gpu}}"
ACTIVE = 4
"""An InfiniBand port's state: active."""


def _gpu(title: str, description: str, unit: str, expr: str, most: float | None = None) -> Panel:
    return Panel(title=title, description=description, unit=unit, most=most, queries=[Query(expr=expr, legend=GPU)])


def _gpus() -> Row:
    used, free = f"DCGM_FI_DEV_FB_USED{{{OF}}}", f"DCGM_FI_DEV_FB_FREE{{{OF}}}"
    return Row(
        title="GPUs",
        panels=[
            _gpu(
                "Use",
                "Share of the time in which a kernel runs. 100 % does not mean that the GPU computes all it could.",
                "percent",
                f"DCGM_FI_DEV_GPU_UTIL{{{OF}}}",
                100,
            ),
            _gpu(
                "Memory in use",
                "Share of the GPU's memory. vLLM takes its whole budget at the start.",
                "percentunit",
                f"{used} / ({used} + {free})",
                1,
            ),
            _gpu("Power", "Power of each GPU.", "watt", f"DCGM_FI_DEV_POWER_USAGE{{{OF}}}"),
            _gpu("Temperature", "Temperature of each GPU.", "celsius", f"DCGM_FI_DEV_GPU_TEMP{{{OF}}}"),
            _gpu(
                "Last XID",
                "The driver's last error code since the node started, or 0. docs/runbooks/gpu-xid.md lists the codes "
                "that need another machine.",
                "short",
                f"DCGM_FI_DEV_XID_ERRORS{{{OF}}}",
            ),
            Panel(
                title="GPUs of each node",
                description="What Kubernetes counts, what it may give to pods, and what the driver sees.",
                unit="short",
                queries=[
                    Query(
                        expr=f'kube_node_status_{kind}{{resource="nvidia_com_gpu",{OF}}}', legend=f"{{{{node}}}} {kind}"
                    )
                    for kind in ("capacity", "allocatable")
                ]
                + [Query(expr=f"{series.GPUS_SEEN}{{{OF}}}", legend="{{node}} seen by the driver")],
            ),
        ],
    )


def _nodes() -> Row:
    conditions = "Ready|AcceleratedHardwareReady|KernelReady|NetworkingReady|StorageReady|ContainerRuntimeReady"
    free, size = "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"
    claims = f'persistentvolumeclaim=~".+-weights-.+",{OF}'
    return Row(
        title="Nodes",
        panels=[
            Panel(
                title="Conditions",
                description="1 if true, 0 if not. EKS repairs a node whose condition stays false.",
                unit="short",
                kind="states",
                queries=[
                    Query(
                        expr=f'kube_node_status_condition{{condition=~"{conditions}",status="true",{OF}}}',
                        legend="{{node}} {{condition}}",
                    )
                ],
            ),
            Panel(
                title="Free local disks",
                description="Share of the local disks that is free. They hold weights, images and logs.",
                unit="percentunit",
                most=1,
                queries=[
                    Query(
                        expr=f"min by (cluster, node) ({free}{{{claims}}} / {size}{{{claims}}})",
                        legend="{{node}}",
                    )
                ],
            ),
            Panel(
                title="Active EFA ports",
                description=(
                    "EFA devices whose port is active, if a model sets `efa`. node exporter 1.12 reads no traffic of "
                    "EFA: its counters have names of InfiniBand cards."
                ),
                unit="short",
                queries=[
                    Query(
                        expr=f"count by (cluster, instance) (node_infiniband_state_id{{{OF_CLUSTER}}} == {ACTIVE})",
                        legend="{{instance}}",
                    )
                ],
            ),
        ],
    )


NODE_PAGE = Page(
    uid="vllm-eks-nodes",
    title="vLLM nodes",
    description="GPUs, conditions and disks of the nodes with GPUs.",
    variables=NODE_VARIABLES,
    rows=[_gpus(), _nodes()],
)
