"""The pods of a group connect and stay connected, over loopback and with a test clock."""

import socket
from collections.abc import Iterator

import pytest

from vllm_eks.pods.group import (
    BEAT_SECONDS,
    SILENCE_SECONDS,
    Alone,
    Connection,
    Group,
    Leader,
    MemberLostError,
    Worker,
)


class Pods:
    """A leader and its workers in one process. `tick` calls all of them, as they do about once a second."""

    def __init__(self, workers: int) -> None:
        self.now = 0.0
        self.leader = Leader(workers, 0, clock=self.clock)
        self.workers = [self.new_worker(index) for index in range(1, workers + 1)]

    def clock(self) -> float:
        return self.now

    def new_worker(self, index: int) -> Worker:
        return Worker(index, "127.0.0.1", self.leader.port, clock=self.clock)

    def tick(self, *pods: Group, seconds: float = 1) -> None:
        """Tick twice, so that everything sent in the first tick is read in the second."""
        self.now += seconds
        for pod in [*pods, *pods]:
            pod.tick()

    def met(self) -> "Pods":
        self.tick(*self.workers, self.leader, *self.workers)
        assert all(pod.whole for pod in (self.leader, *self.workers))
        return self


@pytest.fixture
def pods() -> Iterator[Pods]:
    made = Pods(2)
    yield made
    for pod in (made.leader, *made.workers):
        pod.leave("")


def test_the_group_starts_when_complete(pods: Pods) -> None:
    first, second = pods.workers
    pods.tick(first, pods.leader, first)
    assert (pods.leader.whole, first.whole) == (False, False)
    assert (pods.leader.missing(), first.missing()) == ("worker 2 of 2", "the other workers")
    pods.tick(second, pods.leader, second, first)
    assert [pod.whole for pod in (pods.leader, first, second)] == [True] * 3


def test_a_worker_waits_for_a_leader_that_is_late(pods: Pods) -> None:
    port = pods.leader.port
    pods.leader.leave("")
    early = pods.workers[0]
    pods.tick(early)
    assert early.missing() == f"the leader at 127.0.0.1:{port} ([Errno 111] Connection refused)"
    pods.leader = Leader(1, port, clock=pods.clock)
    pods.tick(early, pods.leader, early)
    assert early.whole


def test_a_worker_lost_before_the_start_may_reconnect(pods: Pods) -> None:
    first, second = pods.workers
    pods.tick(first, pods.leader)
    first.leave("its node is drained")
    pods.tick(pods.leader)
    assert pods.leader.missing() == "worker 1, 2 of 2"
    again = pods.new_worker(1)
    pods.tick(again, second, pods.leader, again, second)
    assert [pod.whole for pod in (pods.leader, again, second)] == [True] * 3
    again.leave("")


def test_an_unknown_client_is_no_worker(pods: Pods) -> None:
    for said in (b"GET / HTTP/1.1\r\n", b"hello 3\n", b"hello 0\n"):
        with socket.create_connection(("127.0.0.1", pods.leader.port)) as stranger:
            stranger.sendall(said)
            pods.tick(pods.leader, pods.leader)
    assert pods.leader.missing() == "worker 1, 2 of 2"


def test_a_bye_ends_the_group_at_once_with_its_reason(pods: Pods) -> None:
    first, second = pods.met().workers
    second.leave("vLLM ended unexpectedly with exit code 1: ValueError: no")
    with pytest.raises(
        MemberLostError, match=r"^worker 2 ended: vLLM ended unexpectedly with exit code 1: ValueError: no$"
    ):
        pods.tick(pods.leader)
    pods.leader.leave("worker 2 ended")
    with pytest.raises(MemberLostError, match=r"^the leader ended: worker 2 ended$"):
        pods.tick(first)


def test_a_bye_is_read_despite_a_connection_reset(pods: Pods) -> None:
    worker = pods.met().workers[1]
    pods.now += BEAT_SECONDS
    pods.leader.tick()  # a heartbeat that the worker never reads
    worker.leave("it was stopped")
    with pytest.raises(MemberLostError, match=r"^worker 2 ended: it was stopped$"):
        pods.tick(pods.leader)


def test_a_closed_connection_is_a_lost_member(pods: Pods) -> None:
    first, _ = pods.met().workers
    first._members()[0].socket.close()
    with pytest.raises(MemberLostError, match=r"^worker 1 is gone: closed the connection$"):
        pods.tick(pods.leader)


def test_silence_is_a_lost_member_on_both_sides(pods: Pods) -> None:
    _, second = pods.met().workers
    for _ in range(int(SILENCE_SECONDS) - 1):
        pods.tick(second, pods.leader)
    with pytest.raises(MemberLostError, match=r"^worker 1 is gone: no heartbeat for 60 s$"):
        pods.tick(pods.leader)
    for _ in range(5):
        pods.tick(second, seconds=10)
    with pytest.raises(MemberLostError, match=r"^the leader is gone: no heartbeat for 6\d s$"):
        pods.tick(second, seconds=10)


def test_members_with_heartbeats_stay_connected(pods: Pods) -> None:
    for _ in range(4 * int(SILENCE_SECONDS)):
        pods.met().tick(pods.leader, *pods.workers)


def test_a_suspended_member_reports_no_others(pods: Pods) -> None:
    """A suspended process (a stopped machine, heavy swapping) has not read the others' messages."""
    pods.met()
    pods.tick(pods.leader, seconds=10 * SILENCE_SECONDS)


def test_workers_learn_that_the_leader_serves(pods: Pods) -> None:
    first, second = pods.met().workers
    assert (first.serving, second.serving) == (False, False)
    pods.leader.serving = True
    pods.tick(pods.leader, first, second, seconds=BEAT_SECONDS)
    assert (first.serving, second.serving) == (True, True)


def test_a_line_may_arrive_in_pieces_and_the_last_line_is_read() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, "worker 1", 0)
    theirs.sendall(b"be")
    assert connection.lines(1) == []
    theirs.sendall(b"at\nbye now\n")
    theirs.close()
    assert connection.lines(2) == ["beat", "bye now"]
    with pytest.raises(ConnectionError):
        connection.lines(3)
    ours.close()


def test_a_single_pod_is_a_complete_group() -> None:
    alone = Alone()
    assert alone.whole
    alone.tick()
    alone.leave("")
