from vllm_eks.json_values import is_list, is_object, list_or_empty, object_or_empty


def test_a_value_is_an_object_a_list_or_neither() -> None:
    assert [is_object(value) for value in ({}, [], "x", None)] == [True, False, False, False]
    assert [is_list(value) for value in ({}, [], "x", None)] == [False, True, False, False]


def test_other_values_count_as_empty() -> None:
    assert [object_or_empty(value) for value in ({"a": 1}, [1], None)] == [{"a": 1}, {}, {}]
    assert [list_or_empty(value) for value in ({"a": 1}, [1], None)] == [[], [1], []]
