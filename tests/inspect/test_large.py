"""A model of 70 billion parameters is looked into without its weights being read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inspect.large import BYTES_PER_TOKEN, LAYERS, PARAMETERS, save_large

MEGABYTES, READ = 300, 40
"""MiB of memory, and MiB read from files: the weights are 140 GB."""

MEASURED = """
import re, sys
from pathlib import Path
from modellint.cli.app import run

code = run(sys.argv[1:])
read = int(re.search(r"rchar: (\\d+)", Path("/proc/self/io").read_text())[1]) // 2**20
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(read, int(peak) // 1024, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="files of holes, and /proc")
def test_a_large_model_takes_little_reading_and_memory(tmp_path: Path) -> None:
    model = save_large(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "inspect", "--isolated", "--json", "-t", "h200", model],
        capture_output=True,
        text=True,
        check=True,
    )
    inspected = json.loads(done.stdout)
    assert inspected["parameters"] == PARAMETERS
    assert inspected["kv_cache"]["bytes_per_token"] == BYTES_PER_TOKEN
    assert inspected["blocks"] == [{"kind": "transformer", "count": LAYERS}]
    assert inspected["attention"]["variant"] == "GQA"
    assert inspected["memory"]["h200"]["verdict"] == "tight"
    assert inspected["macs"] > 128 * (PARAMETERS - 2e9)
    read, peak = map(int, done.stderr.split())
    assert read < READ
    assert peak < MEGABYTES
