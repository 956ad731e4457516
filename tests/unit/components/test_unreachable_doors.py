"""A load balancer that this machine cannot reach, or whose certificate it refuses: what the result says."""

import socket

import pytest

from components.endpoint.first_request import LIMIT_SECONDS
from tests.support.door_requests import BALANCER, KEY, Time, ask, door
from tests.support.tls_server import DAY, NOW, Authority, Script, https_server, models


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_certificate_for_other_names_is_an_error(authority: Authority) -> None:
    script = Script(answers=[models("qwen3")])
    with https_server(authority.serving("other.example.com"), script) as port:
        answer = ask(door(port), authority)

    assert (answer.result, answer.text) == (
        "wrong",
        "the certificate at localhost is for other names: endpoint.certificateArn does not cover it, or the name leads "
        f"to another server; it must lead to {BALANCER} (dig localhost)",
    )
    assert script.seen == [], "the key is not sent to a server without the right certificate"


def test_an_expired_certificate_is_an_error(authority: Authority) -> None:
    with https_server(authority.serving("localhost", until=NOW - DAY), Script(answers=[models("qwen3")])) as port:
        answer = ask(door(port), authority)

    assert (answer.result, answer.text) == (
        "wrong",
        "the certificate at localhost has expired: renew it in ACM (aws acm describe-certificate)",
    )


def test_an_unknown_authority_is_this_machine_s_problem(authority: Authority) -> None:
    with https_server(authority.serving("localhost"), Script(answers=[models("qwen3")])) as port:
        answer = ask(door(port), None)

    assert answer.result == "unreachable"
    assert answer.text.startswith("this machine does not trust the certificate at localhost (")
    assert answer.text.endswith(
        f"); clients need its authority; it must lead to {BALANCER} (dig localhost); from a client: curl https://localhost:{port}/health"
    )


def test_a_name_that_does_not_resolve_needs_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    own, ours = Time(), Time()

    by_hand = ask(door(443, host="qwen3.models.example.com"), None, own)
    of_the_stack = ask(door(443, host="qwen3.models.example.com", has_record=True), None, ours)

    assert (by_hand.result, by_hand.text) == (
        "unreachable",
        f"qwen3.models.example.com does not resolve: create the DNS record qwen3.models.example.com CNAME {BALANCER}",
    )
    assert (of_the_stack.result, of_the_stack.text) == (
        "unreachable",
        "qwen3.models.example.com does not resolve on this machine yet, although its record exists: wait a minute, and "
        "check that the zone's name servers are those of its domain (dig NS), or that a private zone is this VPC's",
    )
    assert own.now == 0, "a record that a person creates does not appear in minutes"
    assert ours.now >= LIMIT_SECONDS - 10


def test_silence_is_this_machine_s_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.endpoint.first_request.REQUEST_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        answer = ask(door(port), None)

    assert (answer.result, answer.text) == (
        "unreachable",
        "localhost does not answer this machine: it is not in endpoint.sourceRanges, or it is outside the VPC of an "
        f"internal load balancer; it must lead to {BALANCER} (dig localhost); from a client: curl https://localhost:{port}/health",
    )


def test_a_server_that_accepts_and_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.endpoint.first_request.REQUEST_SECONDS", 0.05)
    monkeypatch.setattr("components.endpoint.first_request.LIMIT_SECONDS", 15)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = ask(door(silent.getsockname()[1], scheme="http"), None)

    assert (answer.result, answer.text) == (
        "wrong",
        "localhost accepts requests and does not answer within 0.05 s: vllm-eks doctor",
    )


def test_a_closed_port_is_this_machine_s_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    answer = ask(door(port), None)

    assert answer.result == "unreachable"
    assert answer.text.startswith("this machine cannot connect to localhost (")


def test_plain_http_of_an_internal_load_balancer_is_asked_too() -> None:
    script = Script(answers=[models("qwen3")])
    with https_server(None, script) as port:
        answer = ask(door(port, scheme="http"), None)

    assert (answer.result, script.seen) == ("answered", [("/v1/models", f"Bearer {KEY}")])
