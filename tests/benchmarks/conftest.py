"""Shows how every race ended, below pytest-benchmark's own table."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: Any) -> None:
    session = getattr(config, "_benchmarksession", None)
    for bench in session.benchmarks if session is not None else ():
        terminalreporter.write_line(bench.name)
        for name, figures in bench.extra_info.items():
            terminalreporter.write_line(
                f"  {name:<26}{figures['median']:8.3f} s{figures['peak_mib']:8.0f} MiB"
            )
