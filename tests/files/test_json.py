"""JSON with unique keys."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.files import load_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1]))
def test_json_with_unique_keys_is_read(value: object, indent: int | None) -> None:
    assert load_json(json.dumps(value, indent=indent)) == value


def test_json_with_a_repeated_key_names_both_places() -> None:
    text = '{"images": [\n {"id": 1}, {"a": {},\n  "id": 2, "x,:\\"{": [1, 2], "id": 3}\n]}'
    expected = "the key 'id' occurs twice in images[1]: line 3 column 3 and line 3 column 30"
    with pytest.raises(ValueError, match="occurs twice") as caught:
        load_json(text)
    assert str(caught.value) == expected


@given(st.text(), VALUES, VALUES)
def test_json_with_a_repeated_outer_key_raises(key: str, first: object, second: object) -> None:
    pairs = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for value in (first, second))
    with pytest.raises(ValueError, match="occurs twice in the outermost object"):
        load_json(f"{{{pairs}}}")


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", "", '{"a": 1,}'])
def test_json_that_cannot_be_read_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        load_json(text)


def test_half_a_surrogate_pair_is_refused_unless_allowed() -> None:
    text = '{"note": "a\\ud83d"}'
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        load_json(text)
    assert load_json(text, allow_half_pairs=True) == {"note": "a\ud83d"}
    assert load_json('{"note": "\\ud83d\\ude00"}') == {"note": "\U0001f600"}


def test_message_about_a_key_with_half_a_pair_is_printable() -> None:
    with pytest.raises(ValueError, match="occurs twice") as caught:
        load_json('{"\\ud83d": {"a": 1, "a": 2}}', allow_half_pairs=True)
    assert str(caught.value).encode()
