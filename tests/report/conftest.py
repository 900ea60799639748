"""A real model, inspected once for all reports that show it."""

from __future__ import annotations

import pytest

from modellint import inspect
from modellint.results.inspection import Inspection
from tests.exports import materialise


@pytest.fixture(scope="session")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    path = materialise("resnet50", tmp_path_factory.mktemp("resnet"))
    return inspect(path, targets="a10", precision="fp16", every_layer=True, isolated=True)
