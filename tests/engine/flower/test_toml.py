"""Settings come back from TOML as they were."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from motet.engine.flower.toml import lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT, TEXT | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans()))
def test_there_and_back(settings: dict[str, str | int | float | bool]) -> None:
    back = tomllib.loads(lines(settings))
    assert back == settings
    assert {name: type(value) for name, value in back.items()} == {n: type(v) for n, v in settings.items()}
