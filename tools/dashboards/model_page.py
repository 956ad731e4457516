"""The dashboard of models: their requests, latencies, tokens and price."""

from tools.dashboards.panels import QUARTER, STEP, Page, Panel, Query, Row, Variable
from vllm_eks.monitoring import series
from vllm_eks.monitoring.latency_alerts import HISTOGRAMS
from vllm_eks.planner.load.service_level import Latency

OF_CLUSTER = 'cluster=~"$cluster"'
OF = f'{OF_CLUSTER},model=~"$model",namespace=~"$namespace"'
BY = "by (cluster, model)"
CLUSTER = Variable(name="cluster", label="Cluster", query="label_values(kube_node_info, cluster)")
"""Only series of a shared workspace have this label. Without it, `All` matches them too."""
MODEL_VARIABLES = (
    CLUSTER,
    Variable(name="model", label="Model", query=f"label_values({series.PODS_PER_GROUP}{{{OF_CLUSTER}}}, model)"),
    Variable(
        name="namespace",
        label="Namespace",
        query=f'label_values({series.PODS_PER_GROUP}{{{OF_CLUSTER},model=~"$model"}}, namespace)',
    ),
)
PERCENTILES = (0.5, 0.9, 0.99)


def _latency(title: str, description: str, latency: Latency) -> Panel:
    buckets = f"sum by (le, cluster, model) (rate({HISTOGRAMS[latency]}_bucket{{{OF}}}[{STEP}]))"
    percentiles = [
        Query(expr=f"histogram_quantile({share}, {buckets})", legend=f"{{{{model}}}} p{share * 100:g}")
        for share in PERCENTILES
    ]
    limit = Query(
        expr=f'{series.LATENCY_LIMIT_SECONDS}{{{OF},latency="{latency}"}}',
        legend="{{model}} limit of {{percentile}}",
    )
    return Panel(title=title, description=description, unit="s", queries=[*percentiles, limit])


def _requests() -> Row:
    return Row(
        title="Requests",
        panels=[
            Panel(
                title="Requests by client",
                description="Finished requests per second of each named key. `default`: apiKey and secondApiKey.",
                unit="reqps",
                queries=[
                    Query(
                        expr=f"sum by (cluster, model, client) (rate(vllm_eks_client_requests_total{{{OF}}}[{STEP}]))",
                        legend="{{model}} {{client}}",
                    )
                ],
            ),
            Panel(
                title="Errors and refusals",
                description="Requests per second that ended with a status of 400 and above, and refused keys.",
                unit="reqps",
                queries=[
                    Query(
                        expr=(
                            "sum by (cluster, model, status) "
                            f'(rate(vllm_eks_client_requests_total{{{OF},status=~"[45].*"}}[{STEP}]))'
                        ),
                        legend="{{model}} {{status}}",
                    ),
                    Query(
                        expr=f"sum by (cluster, model, client, reason) "
                        f"(rate(vllm_eks_client_refusals_total{{{OF}}}[{STEP}]))",
                        legend="{{model}} {{client}} refused: {{reason}}",
                    ),
                ],
            ),
            Panel(
                title="Running and waiting requests",
                description=(
                    "Running requests are in the batch. Waiting ones have no room in the batch or in the KV cache yet."
                ),
                unit="short",
                queries=[
                    Query(expr=f"sum {BY} (vllm:num_requests_running{{{OF}}})", legend="{{model}} running"),
                    Query(expr=f"sum {BY} (vllm:num_requests_waiting{{{OF}}})", legend="{{model}} waiting"),
                ],
            ),
            Panel(
                title="Requests by end",
                description="Finished requests per second: stop (the model ended), length (the limit), abort, error.",
                unit="reqps",
                queries=[
                    Query(
                        expr=f"sum by (cluster, model, finished_reason) "
                        f"(rate(vllm:request_success_total{{{OF}}}[{STEP}]))",
                        legend="{{model}} {{finished_reason}}",
                    )
                ],
            ),
        ],
    )


def _latencies() -> Row:
    return Row(
        title="Latency",
        panels=[
            _latency(
                "Time to first token",
                "From the arrival of a request to its first token, at percentiles of the requests, with the limit of "
                "the stack file.",
                "ttft",
            ),
            _latency(
                "Time between tokens",
                "Between two tokens of a request, at percentiles of the tokens, with the limit of the stack file.",
                "itl",
            ),
            _latency(
                "Time of a whole request",
                "From the arrival of a request to its end, at percentiles of the requests, with the limit of the stack "
                "file.",
                "e2e",
            ),
            Panel(
                title="Time in the queue",
                description="Mean time that a request waits before it runs.",
                unit="s",
                queries=[
                    Query(
                        expr=(
                            f"sum {BY} (rate(vllm:request_queue_time_seconds_sum{{{OF}}}[{STEP}])) / "
                            f"sum {BY} (rate(vllm:request_queue_time_seconds_count{{{OF}}}[{STEP}]))"
                        ),
                        legend="{{model}}",
                    )
                ],
            ),
        ],
    )


def _cache() -> Row:
    hits = f"sum {BY} (rate(vllm:prefix_cache_hits_total{{{OF}}}[{STEP}]))"
    asked = f"sum {BY} (rate(vllm:prefix_cache_queries_total{{{OF}}}[{STEP}]))"
    return Row(
        title="KV cache",
        panels=[
            Panel(
                title="KV cache in use",
                description="Share of the KV cache that running requests use. At 100 % vLLM preempts requests.",
                unit="percentunit",
                most=1,
                queries=[Query(expr=f"vllm:kv_cache_usage_perc{{{OF}}}", legend="{{pod}}")],
            ),
            Panel(
                title="Preemptions",
                description="Requests per minute that vLLM stops for lack of KV cache. It computes them again later.",
                unit="short",
                queries=[
                    Query(
                        expr=(
                            f"60 * sum by (cluster, namespace, pod) (rate(vllm:num_preemptions_total{{{OF}}}[{STEP}]))"
                        ),
                        legend="{{pod}}",
                    )
                ],
            ),
            Panel(
                title="Prefix cache hits",
                description="Share of the prompts' tokens that the prefix cache had, so that nothing was computed.",
                unit="percentunit",
                most=1,
                queries=[Query(expr=f"{hits} / {asked}", legend="{{model}}")],
            ),
            Panel(
                title="KV cache against the plan",
                description="Tokens in the cache of each group, and the planned size of one group's cache.",
                unit="short",
                queries=[
                    Query(
                        expr=(
                            f"vllm:kv_cache_usage_perc{{{OF}}} * on (cluster, model, namespace) group_left "
                            f'{series.KV_CACHE_TOKENS}{{{OF},bound="best"}}'
                        ),
                        legend="{{pod}} (share of the planned tokens)",
                    ),
                    Query(expr=f"{series.KV_CACHE_TOKENS}{{{OF}}}", legend="{{model}} planned ({{bound}})"),
                ],
            ),
        ],
    )


def _tokens() -> Row:
    return Row(
        title="Tokens and price",
        panels=[
            Panel(
                title="Output tokens against the plan",
                description=(
                    "Output tokens per second of all groups, and the plan's estimate for full groups (1,024 tokens in, "
                    "256 out). Fewer requests make fewer tokens."
                ),
                unit="short",
                queries=[
                    Query(expr=f"{series.OUTPUT_TOKENS_PER_SECOND}{{{OF}}}", legend="{{model}}"),
                    Query(expr=f"{series.TOKENS_PER_SECOND_PLANNED}{{{OF}}}", legend="{{model}} estimate ({{bound}})"),
                ],
            ),
            Panel(
                title="Tokens by client",
                description="Prompt and output tokens per second of each named key.",
                unit="short",
                queries=[
                    Query(
                        expr=f"sum by (cluster, model, client, kind) "
                        f"(rate(vllm_eks_client_tokens_total{{{OF}}}[{STEP}]))",
                        legend="{{model}} {{client}} {{kind}}",
                    )
                ],
            ),
            Panel(
                title="Dollars per million output tokens",
                description="The list price of the model's GPU nodes, divided by the output tokens of the moment.",
                unit="currencyUSD",
                queries=[Query(expr=f"{series.USD_PER_MILLION_TOKENS}{{{OF}}}", legend="{{model}}")],
            ),
            Panel(
                title="Dollars per hour",
                description="The list price of the model's GPU nodes in the plan.",
                unit="currencyUSD",
                kind="number",
                span=QUARTER,
                queries=[Query(expr=f"{series.USD_PER_HOUR}{{{OF}}}", legend="{{model}}")],
            ),
            Panel(
                title="Dollars per month",
                description="730 hours of the GPU nodes that run now, of all models of the stack, at list prices.",
                unit="currencyUSD",
                kind="number",
                span=QUARTER,
                queries=[Query(expr=f"730 * {series.RUNNING_USD_PER_HOUR}{{{OF_CLUSTER}}}", legend="{{stack}}")],
            ),
        ],
    )


MODEL_PAGE = Page(
    uid="vllm-eks-model",
    title="vLLM models",
    description="Requests, latencies, KV cache, tokens and price of the models of a stack.",
    variables=MODEL_VARIABLES,
    rows=[_requests(), _latencies(), _cache(), _tokens()],
)
