"""Only the command line names servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remote.servers import Web
from tests.support import run_cli


@pytest.mark.parametrize(
    "setting",
    [
        'baseline = "{url}"',
        'rules = ["{url}"]',
        'target-dirs = ["{url}"]',
        'output = ["json:{url}"]',
        'cache-dir = "{url}"',
        'profile = ["{url}"]',
        'save-engine = "{url}"\nprobe = "ort"',
        'include = ["{url}"]',
        'extend = "{url}"',
    ],
)
def test_no_configuration_makes_a_request(setting: str, web: Web, tmp_path: Path) -> None:
    text = setting.format(url=web.url("good", "relu.onnx"))
    (tmp_path / "modellint.toml").write_text(text)
    (tmp_path / "a.onnx").touch()
    assert run_cli("check", ".", cwd=tmp_path).exit_code in (1, 2)
    assert not web.asked


def test_a_list_of_a_folder_makes_no_request(web: Web, tmp_path: Path) -> None:
    """An index and a configuration that name addresses as the places of weights."""
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    url = web.url("good", "relu.onnx")
    index = f'{{"weight_map": {{"a": "{url}"}}}}'
    (tmp_path / "model.safetensors.index.json").write_text(index)
    assert run_cli("check", ".", cwd=tmp_path).exit_code == 1
    assert not web.asked
