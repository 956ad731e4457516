from collections.abc import Callable

import pytest

from vllm_eks.json_fields import Fields, WrongField


def fields(**row: object) -> Fields:
    return Fields(row, where="row")


def test_each_field_is_taken_by_its_name_and_type() -> None:
    row = fields(a="text", b=1, c=1.5, d=True, e=None, f=["x"], g={"k": 2}, h={"k": ["x"]}, i={"k": None}, j="low")

    assert row.required("a", str) == "text"
    assert row.required("b", int) == 1
    assert row.required("c", float) == 1.5
    assert row.required("d", bool) is True
    assert row.nullable("e", str) is None
    assert row.texts("f") == ("x",)
    assert row.by_name("g", float) == {"k": 2}
    assert row.lists_by_name("h") == {"k": ["x"]}
    assert row.json_object("i") == {"k": None}
    assert row.choice("j", ("low", "high")) == "low"
    row.end()


def test_a_whole_number_is_a_number_and_stays_whole() -> None:
    assert repr(fields(a=24).required("a", float)) == "24"


def test_an_absent_field_has_its_default() -> None:
    row = fields(given=2)

    assert row.optional("given", int, 1) == 2
    assert row.optional("absent", int, 1) == 1
    assert row.optional("absent", str, None) is None
    assert row.scalar("absent") is None
    assert row.texts("absent") == ()
    assert row.by_name("absent", float) == {}
    assert row.lists_by_name("absent") == {}
    assert row.optional_object("absent") is None
    row.end()


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda row: row.required("absent", str), "row: absent is missing"),
        (lambda row: row.nullable("absent", str), "row: absent is missing"),
        (lambda row: row.json_object("absent"), "row: absent is missing"),
        (lambda row: row.required("yes", int), "row: yes True must be a whole number"),
        (lambda row: row.required("yes", float), "row: yes True must be a number"),
        (lambda row: row.required("half", int), "row: half 0.5 must be a whole number"),
        (lambda row: row.required("half", str), "row: half 0.5 must be text"),
        (lambda row: row.required("half", bool), "row: half 0.5 must be true or false"),
        (lambda row: row.optional("null", int, 1), "row: null None must be a whole number"),
        (lambda row: row.nullable("half", str), "row: half 0.5 must be text"),
        (lambda row: row.choice("word", ("low", "high")), "row: word 'mid' must be one of low, high"),
        (lambda row: row.scalar("list"), "row: list must be one value"),
        (lambda row: row.texts("word"), "row: word 'mid' must be a list"),
        (lambda row: row.texts("list"), "row: list 0.5 must be text"),
        (lambda row: row.json_object("word"), "row: word 'mid' must be a JSON object"),
        (lambda row: row.optional_object("word"), "row: word 'mid' must be a JSON object"),
        (lambda row: row.by_name("object", int), "row: object.key 0.5 must be a whole number"),
        (lambda row: row.lists_by_name("object"), "row: object: key 0.5 must be a list"),
        (lambda row: row.end(), "row: yes is not a known key"),
        (lambda row: Fields([row], where="row"), "row: must be a JSON object"),
    ],
)
def test_a_wrong_field_is_one_clear_sentence(take: Callable[[Fields], object], message: str) -> None:
    row = fields(yes=True, half=0.5, null=None, word="mid", list=[0.5], object={"key": 0.5})
    with pytest.raises(WrongField) as caught:
        take(row)
    assert str(caught.value) == message
