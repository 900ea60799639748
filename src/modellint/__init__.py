"""A linter for neural-network model files.

Everything in `__all__` is described in docs/python.md, and imported when it is first used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take longer to import than the rest
    from modellint.api.asserting import assert_model_ok
    from modellint.api.changing import Fixed, fix
    from modellint.api.checking import check, probe
    from modellint.api.comparing import diff
    from modellint.api.fleets import fleet
    from modellint.api.looking import inspect
    from modellint.api.report import Report, Summary
    from modellint.api.watching import LintingError, linting
    from modellint.base.errors import ModellintError, UsageError
    from modellint.base.version import __version__
    from modellint.fleets.fleet import Fleet
    from modellint.report.charts import Chart, charts
    from modellint.results.difference import Difference
    from modellint.results.finding import Finding, Location, Severity
    from modellint.results.inspection import Inspection

_HOMES = {
    "Chart": "modellint.report.charts",
    "Difference": "modellint.results.difference",
    "Finding": "modellint.results.finding",
    "Fixed": "modellint.api.changing",
    "Fleet": "modellint.fleets.fleet",
    "Inspection": "modellint.results.inspection",
    "LintingError": "modellint.api.watching",
    "Location": "modellint.results.finding",
    "ModellintError": "modellint.base.errors",
    "Report": "modellint.api.report",
    "Severity": "modellint.results.finding",
    "Summary": "modellint.api.report",
    "UsageError": "modellint.base.errors",
    "__version__": "modellint.base.version",
    "assert_model_ok": "modellint.api.asserting",
    "charts": "modellint.report.charts",
    "check": "modellint.api.checking",
    "diff": "modellint.api.comparing",
    "fix": "modellint.api.changing",
    "fleet": "modellint.api.fleets",
    "inspect": "modellint.api.looking",
    "linting": "modellint.api.watching",
    "probe": "modellint.api.checking",
}

__all__ = [
    "Chart",
    "Difference",
    "Finding",
    "Fixed",
    "Fleet",
    "Inspection",
    "LintingError",
    "Location",
    "ModellintError",
    "Report",
    "Severity",
    "Summary",
    "UsageError",
    "__version__",
    "assert_model_ok",
    "charts",
    "check",
    "diff",
    "fix",
    "fleet",
    "inspect",
    "linting",
    "probe",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'modellint' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
