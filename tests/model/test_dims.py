"""Counts of elements and bytes end where all formats' own numbers end."""

from __future__ import annotations

import json

import pytest

from modellint.model import DTYPES, HIGHEST_RANK, MOST, Tensor, element_count, product

HUGE = (MOST,) * HIGHEST_RANK


def test_counts_saturate() -> None:
    assert element_count(HUGE) == product(HUGE) == MOST
    assert element_count((2, 3, 4)) == product((2, 3, 4)) == 24
    assert element_count((*HUGE[1:], 0)) == product((*HUGE[1:], 0)) == 0
    assert element_count((*HUGE[1:], "n")) is None


@pytest.mark.parametrize("name", DTYPES)
def test_sizes_saturate(name: str) -> None:
    tensor = Tensor("huge", DTYPES[name], HUGE, DTYPES[name].nbytes(product(HUGE)))
    assert tensor.elements == MOST
    assert 0 <= tensor.nbytes <= MOST
    assert json.dumps(float(tensor.nbytes))
