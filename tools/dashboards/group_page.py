"""The dashboard of groups: whole, starting, restarting."""

from tools.dashboards.model_page import MODEL_VARIABLES, OF, OF_CLUSTER
from tools.dashboards.panels import QUARTER, WHOLE, Page, Panel, Query, Row
from vllm_eks.monitoring import series

IN = f'{OF_CLUSTER},namespace=~"$namespace"'


def _number(title: str, description: str, expr: str) -> Panel:
    return Panel(
        title=title,
        description=description,
        unit="short",
        kind="number",
        span=QUARTER,
        queries=[Query(expr=expr, legend="{{model}}")],
    )


GROUP_PAGE = Page(
    uid="vllm-eks-groups",
    title="vLLM groups",
    description="The groups of pods behind each model: whole, ready, in a phase of their start, or restarting.",
    variables=MODEL_VARIABLES,
    rows=[
        Row(
            title="Now",
            panels=[
                _number("Groups wanted", "Replicas of the LeaderWorkerSet.", f"{series.GROUPS_WANTED}{{{OF}}}"),
                _number("Groups ready", "Groups whose leader serves requests.", f"{series.GROUPS_READY}{{{OF}}}"),
                _number("Pods wanted", "Pods of all wanted groups.", f"{series.PODS_WANTED}{{{OF}}}"),
                _number("Pods running", "Pods of groups that run.", f"{series.PODS_RUNNING}{{{OF}}}"),
            ],
        ),
        Row(
            title="Over time",
            panels=[
                Panel(
                    title="Ready groups",
                    description="Groups that serve requests, and groups that should.",
                    unit="short",
                    queries=[
                        Query(expr=f"{series.GROUPS_READY}{{{OF}}}", legend="{{model}} ready"),
                        Query(expr=f"{series.GROUPS_WANTED}{{{OF}}}", legend="{{model}} wanted"),
                    ],
                ),
                Panel(
                    title="Missing pods",
                    description="Pods that should run and do not. A group serves only when all its pods run.",
                    unit="short",
                    queries=[
                        Query(
                            expr=(
                                f"{series.PODS_WANTED}{{{OF}}} - on (cluster, model, namespace) "
                                f"{series.PODS_RUNNING}{{{OF}}}"
                            ),
                            legend="{{model}}",
                        )
                    ],
                ),
                Panel(
                    title="Phase of the start",
                    description="What each leader does until it serves, from the log of vLLM.",
                    unit="short",
                    kind="states",
                    span=WHOLE,
                    queries=[
                        Query(
                            expr=f"max by (cluster, namespace, pod, phase) (vllm_eks_startup_phase{{{OF}}} == 1)",
                            legend="{{pod}} {{phase}}",
                        )
                    ],
                ),
                Panel(
                    title="Time of the start against its budget",
                    description="Seconds since the supervisor began, while the leader is not ready, and the budget.",
                    unit="s",
                    queries=[
                        Query(
                            expr=(
                                f"(time() - vllm_eks_start_time_seconds{{{OF}}}) and on (cluster, namespace, pod) "
                                f'(kube_pod_status_ready{{condition="true",{IN}}} == 0)'
                            ),
                            legend="{{pod}}",
                        ),
                        Query(expr=f"{series.STARTUP_BUDGET_SECONDS}{{{OF}}}", legend="{{model}} budget"),
                    ],
                ),
                Panel(
                    title="Restarts in three hours",
                    description=(
                        "Pods that were created for each leader in the last 3 hours, without the first one. Updates, "
                        "replaced nodes and crashes are restarts. The window of the alert is four start budgets."
                    ),
                    unit="short",
                    queries=[
                        Query(
                            expr=(
                                "count by (cluster, namespace, pod) (count by (cluster, namespace, pod, uid) "
                                f"(last_over_time(kube_pod_created{{{IN}}}[3h]))) - 1 "
                                f"and on (cluster, namespace, pod) {series.LEADER_POD}{{{OF}}}"
                            ),
                            legend="{{pod}}",
                        )
                    ],
                ),
                Panel(
                    title="Errors of the LeaderWorkerSet controller",
                    description="Failed reconciliations per second. While it fails, lost groups do not come back.",
                    unit="short",
                    queries=[
                        Query(
                            expr=(
                                "sum by (controller) (rate(controller_runtime_reconcile_errors_total"
                                f'{{{OF_CLUSTER},controller=~"leaderworkerset|pod"}}[$__rate_interval]))'
                            ),
                            legend="{{controller}}",
                        )
                    ],
                ),
                Panel(
                    title="Alerts",
                    description="Alerts of the stack that fire.",
                    unit="short",
                    kind="states",
                    queries=[
                        Query(
                            expr=(
                                "max by (stack, alertname, severity) "
                                '(ALERTS{alertname=~"VllmEks.+",alertstate="firing"})'
                            ),
                            legend="{{severity}} {{alertname}} of {{stack}}",
                        )
                    ],
                ),
            ],
        ),
    ],
)
