"""Requests through a load balancer, as `pulumi up` makes them, with a clock that only sleeping moves."""

from components.endpoint.first_request import Answer, Door, first_request
from tests.support.tls_server import Authority

KEY = "sk-never-shown"
BALANCER = "vllm-1.us-west-2.elb.amazonaws.com"
BY_BALANCER = {"Server": "awselb/2.0"}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def door(port: int, *, host: str = "localhost", scheme: str = "https", has_record: bool = False) -> Door:
    return Door(model="qwen3", url=f"{scheme}://{host}:{port}", balancer=BALANCER, has_record=has_record)


def ask(at: Door, authority: Authority | None, time: Time | None = None) -> Answer:
    time = time or Time()
    tls = authority.trusting() if authority else None
    answer = first_request(at, KEY, tls=tls, clock=lambda: time.now, sleep=time.sleep)
    assert KEY not in answer.text
    return answer
