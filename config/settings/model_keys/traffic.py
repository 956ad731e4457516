"""The model key for the expected load, which the preview checks."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from config.settings.base import InSchema, Settings, absent
from vllm_eks.planner.load.reading import (
    MOST_REQUESTS_PER_SECOND,
    MOST_USERS,
    traffic_and_level,
)
from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import TrafficWords, key_name

WorkloadName = Literal["chat", "rag", "code", "summary", "agent"]


def _as_text(value: object) -> object:
    """Return a whole number as text, as in an option of `vllm-eks size`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Tokens = Annotated[
    str,
    BeforeValidator(_as_text),
    InSchema(type=["string", "integer"], pattern=r"(mean:)?\d+"),
]
TIME = r"\d+(\.\d+)?(ms|s|min)"
LIMIT = rf"^{TIME}@p[1-9]\d?$"
"""What an editor shows as wrong at once. `config.cross_field` checks these with better texts."""


class TrafficSettings(Settings):
    """The load and the service level of one model, in the words of `vllm-eks size`."""

    requests_per_second: float | None = Field(
        default=None,
        description="The mean rate of requests to all replicas, with Poisson arrivals.",
        examples=[4],
        json_schema_extra={
            "minimum": 0,
            "maximum": int(MOST_REQUESTS_PER_SECOND),
            **absent("see concurrentUsers"),
        },
    )
    concurrent_users: int | None = Field(
        default=None,
        description="The users who each send one request after the other.",
        examples=[200],
        json_schema_extra={"minimum": 1, "maximum": MOST_USERS, **absent("see requestsPerSecond")},
    )
    think_time: str | None = Field(
        default=None,
        description="The mean time between an answer and the next request of a user.",
        examples=["20s"],
        json_schema_extra={"pattern": f"^{TIME}$", **absent("users do not wait")},
    )
    workload: WorkloadName | None = Field(
        default=None,
        description="Typical lengths, instead of `input` and `output`.",
        examples=["chat"],
        json_schema_extra=absent("`input` and `output`"),
    )
    input: Tokens | None = Field(
        default=None,
        description="Tokens of each prompt, or `mean:500` if they vary.",
        examples=["mean:500"],
        json_schema_extra=absent("that of the workload"),
    )
    output: Tokens | None = Field(
        default=None,
        description="Tokens of each answer, or `mean:500` if they vary.",
        examples=["mean:200"],
        json_schema_extra=absent("that of the workload"),
    )
    dataset: str | None = Field(
        default=None,
        description=(
            'A file beside the stack file with the lengths of one request on each line: `{"input": 900, "output": '
            "200}`. Instead of `input` and `output`."
        ),
        examples=["lengths.jsonl"],
        json_schema_extra=absent("`input` and `output`"),
    )
    shared_prefix: int | None = Field(
        default=None,
        description="Tokens at the start of all prompts that are equal.",
        examples=[300],
        json_schema_extra={"minimum": 0, **absent("that of the workload, or 0")},
    )
    ttft: str | None = Field(
        default=None,
        description="The limit of the time to first token, at a percentile of the requests.",
        examples=["1s@p90"],
        json_schema_extra={"pattern": LIMIT, **absent("no limit")},
    )
    itl: str | None = Field(
        default=None,
        description="The limit of the time between two tokens of a request, at a percentile of the tokens.",
        examples=["40ms@p50"],
        json_schema_extra={"pattern": LIMIT, **absent("no limit")},
    )
    e2e: str | None = Field(
        alias="e2e",
        default=None,
        description="The limit of the time of a whole request, at a percentile of the requests.",
        examples=["20s@p99"],
        json_schema_extra={"pattern": LIMIT, **absent("no limit")},
    )

    def _words(self) -> TrafficWords:
        return TrafficWords(
            requests_per_second=self.requests_per_second,
            concurrent_users=self.concurrent_users,
            think_time=self.think_time,
            workload=self.workload,
            input=self.input,
            output=self.output,
            dataset=Path(self.dataset) if self.dataset is not None else None,
            shared_prefix=self.shared_prefix,
            ttft=self.ttft,
            itl=self.itl,
            e2e=self.e2e,
        )

    def read(self) -> tuple[Traffic, ServiceLevel]:
        """Return the load and the service level.

        Raises:
            WrongQuestion: They are incomplete, or contradict themselves (`config.cross_field` reports that).
        """
        return traffic_and_level(self._words(), key_name)


class TrafficKeys(Settings):
    """The expected load."""

    traffic: TrafficSettings | None = Field(
        default=None,
        description=(
            "The expected load and the service level that the model should keep. Nothing is deployed for it: the "
            "preview warns if the machines do not keep it. `vllm-eks size` finds machines that do."
        ),
        examples=[{"requestsPerSecond": 4, "workload": "chat", "ttft": "1s@p90"}],
        json_schema_extra=absent("no check"),
    )
