import pulumi
import pytest
from pulumi.runtime.mocks import MockCallArgs

from vllm_eks.preview.embedded_engine import set_engine
from vllm_eks.preview.mock_cloud import (
    OfflineMocks,
    RecordingMonitor,
    UnansweredCallError,
    unwrap_secrets,
)


class Thing(pulumi.CustomResource):
    def __init__(self, name: str, inputs: dict, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Thing", name, inputs, opts)


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Box", name, {}, opts)
        self.register_outputs({"key": pulumi.Output.secret("opened"), "count": 2})


def ask(answer=None) -> object:
    monitor = RecordingMonitor(OfflineMocks(answer) if answer else OfflineMocks())
    set_engine(monitor, project="vllm-eks", stack="test")
    seen = []

    def program() -> pulumi.Output:
        return pulumi.runtime.invoke_output("test:index:ask", {"what": "quota"}).apply(seen.append)

    pulumi.runtime.test(program)()
    return seen[0]


def test_a_call_without_an_answer_is_an_error() -> None:
    with pytest.raises(UnansweredCallError) as caught:
        OfflineMocks().call(MockCallArgs("test:index:ask", {"what": "quota"}, ""))
    assert str(caught.value) == "no answer for the call test:index:ask with {'what': 'quota'}"

    with pytest.raises(Exception, match="no answer for the call test:index:ask"):
        ask()


def test_answers_can_be_provided() -> None:
    assert ask(lambda call: {"asked": f"{call.token} {call.args['what']}"}) == {"asked": "test:index:ask quota"}


def test_registrations_keep_their_order_their_parents_and_whole_numbers(engine) -> None:
    def program() -> None:
        box = Box("box", pulumi.ResourceOptions(parent=Box("outer")))
        Thing("thing", {"count": 2, "share": 0.5}, pulumi.ResourceOptions(parent=box))

    engine.run(program)

    assert [(one.name, one.is_custom) for one in engine.registrations] == [
        ("outer", False),
        ("box", False),
        ("thing", True),
    ]
    thing = engine.only("test:index:Thing")
    assert thing.urn == "urn:pulumi:test::vllm-eks::test:index:Box$test:index:Box$test:index:Thing::thing"
    assert thing.parent == engine.named("box", "test:index:Box").urn
    assert thing.inputs == {"count": 2, "share": 0.5}
    assert isinstance(thing.inputs["count"], int)


def test_outputs_of_components_are_recorded(engine) -> None:
    engine.run(lambda: Box("box"))

    assert engine.monitor.outputs["urn:pulumi:test::vllm-eks::test:index:Box::box"] == {"key": "opened", "count": 2}


def test_two_resources_of_one_urn_are_refused_as_the_engine_does(engine) -> None:
    def program() -> None:
        Thing("same", {})
        Thing("same", {})

    with pytest.raises(Exception, match="Duplicate resource URN urn:pulumi:test::vllm-eks::test:index:Thing::same"):
        engine.run(program)


def test_one_name_under_two_parents_is_fine(engine) -> None:
    class Other(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Other", "other")

    def program() -> None:
        Thing("same", {}, pulumi.ResourceOptions(parent=Box("box")))
        Thing("same", {}, pulumi.ResourceOptions(parent=Other()))

    engine.run(program)

    assert len({one.urn for one in engine.of_type("test:index:Thing")}) == 2


def test_secrets_are_unwrapped_and_their_paths_recorded(engine) -> None:
    inputs = {"plain": "a", "inside": {"key": pulumi.Output.secret("b")}, "listed": ["c", pulumi.Output.secret(3)]}
    engine.run(lambda: Thing("thing", inputs))

    thing = engine.only("test:index:Thing")
    assert thing.inputs == {"plain": "a", "inside": {"key": "b"}, "listed": ["c", 3]}
    # The engine marks the whole value that contains a secret.
    assert thing.secret_paths == {"inside", "listed"}


def test_plain_values_come_back_as_they_were() -> None:
    assert unwrap_secrets({"a": [1.0, 1.5, True, None, "x"]}) == ({"a": [1, 1.5, True, None, "x"]}, [])
