"""How much is replayed for an answer over all types: replays and steps, not seconds, which a busy machine breaks."""

from random import Random

import pytest

from tests.unit.planner.sizing.test_choice import CHAT, LEVEL
from tests.unit.planner.sizing.test_load_search import LEVELS
from vllm_eks.planner.load import replay as module
from vllm_eks.planner.load.lengths import fixed
from vllm_eks.planner.load.service_level import Limit, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.sizing import replica as replica_module
from vllm_eks.planner.sizing.choice import size
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.planner.sizing.replica import Replica

MODELS = ("Qwen/Qwen3-8B", "Qwen/Qwen3-Next-80B-A3B-Instruct", "deepseek-ai/DeepSeek-V3")
MOST_REPLAYS = 60
"""Of one answer. 14 drawn questions took up to 49."""
STEPS_PER_REPLAY = 2_700
"""On average. 100,000 steps take about a second of one core."""


def drawn(seed: int) -> SizeQuestion:
    """A question over all types."""
    random = Random(seed)
    workload, load = WORKLOADS[random.choice(list(WORKLOADS))], round(10 ** random.uniform(0.5, 2.5), 1)
    is_open = random.random() < 0.5
    return SizeQuestion(
        model=load_model(random.choice(MODELS)),
        options=CHAT.options,
        traffic=Traffic(
            lengths=workload.lengths,
            requests_per_second=load if is_open else None,
            concurrent_users=None if is_open else round(10 * load),
            shared_prefix_tokens=workload.shared_prefix_tokens,
        ),
        level=random.choice((*LEVELS, LEVEL, ServiceLevel())),
    )


@pytest.mark.parametrize("seed", range(4))
def test_few_loads_are_replayed_wherever_replicas_break(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed: set[tuple[int, float]] = set()

    def at(replica: Replica, load: float, *, measured: int = 0) -> float:
        replayed.add((id(replica), load))
        return load

    def broken(replica: Replica, seen: float, level: ServiceLevel) -> str:
        share = Random(f"{seed} {replica.plan.instance.type} {replica.plan.ranks}").uniform(0.2, 1.0)
        return "load" if seen > share * replica.most_load else ""

    monkeypatch.setattr(Replica, "at", at)
    monkeypatch.setattr(Replica, "broken", broken)
    monkeypatch.setattr(Replica, "pressed", lambda replica, seen: "kv")

    assert len(size(drawn(seed)).rows) > 1
    assert len(replayed) < MOST_REPLAYS


def counted(question: SizeQuestion, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of each replay of an answer."""
    steps: list[int] = []

    def replay(*args: object, **options: object) -> object:
        seen = module.replay(*args, **options)  # type: ignore[arg-type]
        steps.append(seen.scheduled)
        return seen

    monkeypatch.setattr(replica_module, "replay", replay)
    assert size(question).rows
    return steps


@pytest.mark.parametrize(
    ("model", "traffic", "level", "family", "replays"),
    [
        (
            "Qwen/Qwen3-8B",
            Traffic(lengths=WORKLOADS["code"].lengths, requests_per_second=20.0),
            # p99 of whole requests is a hard question: the latency alone excludes no type.
            ServiceLevel(e2e=Limit(seconds=30, percentile=99)),
            "g6e",
            15,
        ),
        (
            "Qwen/Qwen3-Next-80B-A3B-Instruct",
            Traffic(lengths=fixed(200, 500), requests_per_second=10.2),
            ServiceLevel(),
            "p4de",
            26,
        ),
    ],
    ids=["p99", "without-a-limit"],
)
def test_a_replay_computes_few_steps(
    model: str, traffic: Traffic, level: ServiceLevel, family: str, replays: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = SizeQuestion(
        model=load_model(model), options=CHAT.options, traffic=traffic, level=level, family=family, max_nodes=4
    )
    steps = counted(question, monkeypatch)

    assert sum(steps) / len(steps) < STEPS_PER_REPLAY
    assert len(steps) <= replays
