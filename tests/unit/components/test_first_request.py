"""The request through the load balancer, against a real HTTPS server with its own authority."""

from collections.abc import Iterator

import pytest

from components.endpoint.first_request import LIMIT_SECONDS
from tests.support.door_requests import BALANCER, BY_BALANCER, KEY, Time, ask, door
from tests.support.tls_server import Authority, Script, https_server, models


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def served(authority: Authority) -> Iterator[tuple[int, Script]]:
    script = Script(answers=[models("qwen3")])
    with https_server(authority.serving("localhost"), script) as port:
        yield port, script


@pytest.fixture
def answers(served: tuple[int, Script]) -> Script:
    _, script = served
    script.seen.clear()
    return script


def test_a_model_that_answers_is_asked_once_with_the_key(
    served: tuple[int, Script], answers: Script, authority: Authority
) -> None:
    answers.answers = [models("qwen3", "gpt-4o")]

    answer = ask(door(served[0]), authority)

    assert (answer.result, answer.text) == ("answered", f"https://localhost:{served[0]} answers")
    assert answers.seen == [("/v1/models", f"Bearer {KEY}")]


def test_a_new_target_has_time_to_become_healthy(
    served: tuple[int, Script], answers: Script, authority: Authority
) -> None:
    time = Time()
    answers.answers = [(503, BY_BALANCER, ""), (502, BY_BALANCER, ""), models("qwen3")]

    assert ask(door(served[0]), authority, time).result == "answered"
    assert time.now == 20


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            (503, BY_BALANCER, ""),
            "the load balancer has no healthy pod of qwen3 (503). Look, in this order: is a leader ready (vllm-eks "
            "doctor); is it registered (kubectl --namespace vllm-qwen3 describe targetgroupbindings); does it answer "
            "the load balancer (aws elbv2 describe-target-health: Target.Timeout means that a NetworkPolicy or a "
            "security group stops port 8000)",
        ),
        ((504, BY_BALANCER, ""), "the load balancer got no answer from qwen3 (504): vllm-eks doctor"),
        (
            (404, BY_BALANCER, ""),
            "the load balancer has no rule for localhost (404): the name leads to another load balancer, or the rule "
            f"is new; it must lead to {BALANCER} (dig localhost)",
        ),
        (
            (401, {"Server": "uvicorn"}, ""),
            "localhost refuses the stack's key (401): pods read a changed key within two minutes; if it persists: "
            "vllm-eks doctor, and kubectl --namespace vllm-qwen3 get secrets",
        ),
        ((500, {"Server": "uvicorn"}, ""), "localhost answers with status 500: vllm-eks doctor"),
        ((460, BY_BALANCER, ""), "the load balancer answers with status 460 for localhost"),
    ],
)
def test_a_wrong_answer_that_persists_is_an_error_that_says_where_to_look(
    served: tuple[int, Script],
    answers: Script,
    authority: Authority,
    answer: tuple[int, dict[str, str], str],
    text: str,
) -> None:
    time, answers.answers = Time(), [answer]

    found = ask(door(served[0]), authority, time)

    assert (found.result, found.text) == ("wrong", text)
    assert LIMIT_SECONDS - 10 <= time.now <= LIMIT_SECONDS


def test_a_refusal_of_the_web_acl_says_nothing_about_other_clients(
    served: tuple[int, Script], answers: Script, authority: Authority
) -> None:
    answers.answers = [(403, BY_BALANCER, "")]

    answer = ask(door(served[0]), authority)

    assert (answer.result, answer.text) == (
        "unreachable",
        "the web ACL refuses the request of this machine (403): look at the sampled requests of localhost",
    )


def test_the_key_follows_no_redirect(served: tuple[int, Script], answers: Script, authority: Authority) -> None:
    other = Script(answers=[models("qwen3")])
    with https_server(None, other) as port:
        answers.answers = [(302, {"Location": f"http://127.0.0.1:{port}/v1/models", "Server": "nginx"}, "")]

        answer = ask(door(served[0]), authority)

    assert (answer.result, answer.text) == ("wrong", "localhost answers with status 302: vllm-eks doctor")
    assert other.seen == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            (200, {}, "<html>Welcome</html>"),
            "localhost answers, but not as vLLM does: the name leads to another server",
        ),
        (models("llama"), "localhost answers as llama, not as qwen3: the name leads to another model"),
    ],
)
def test_an_answer_of_another_server_is_an_error(
    served: tuple[int, Script],
    answers: Script,
    authority: Authority,
    answer: tuple[int, dict[str, str], str],
    text: str,
) -> None:
    answers.answers = [answer]

    found = ask(door(served[0]), authority)

    assert (found.result, found.text) == ("wrong", f"{text}; it must lead to {BALANCER} (dig localhost)")
