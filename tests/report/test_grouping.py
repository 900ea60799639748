"""Findings that say the same of several deployments."""

from modellint.report.grouping import Group, across_deployments
from modellint.results.finding import Finding, Severity


def found(runtime: str, target: str | None = None, message: str = "said") -> Group:
    finding = Finding(
        code="CMP006",
        rule="unknown-domain",
        family="compat",
        severity=Severity.WARNING,
        message=message,
        path="model.onnx",
        runtime=runtime,
        target=target,
    )
    return Group((finding,))


def test_what_is_said_of_several_runtimes_is_one_group_that_names_them() -> None:
    (group,) = across_deployments([found("qnn"), found("tidl")], {})
    assert group.runtimes == ("qnn", "tidl")
    assert group.count == 2


def test_a_runtime_is_named_once_for_several_devices() -> None:
    (group,) = across_deployments([found("qnn", "one"), found("qnn", "two")], {})
    assert (group.runtimes, group.targets) == (("qnn",), ("one", "two"))


def test_what_is_said_of_devices_is_kept_apart_by_runtime() -> None:
    assert len(across_deployments([found("qnn", "one"), found("tidl", "two")], {})) == 2


def test_names_of_devices_keep_nothing_apart() -> None:
    devices = {"a": "Acme A1", "b": "B+", "c": "Acme A10"}
    said = [
        found("qnn", "a", "The Acme A1 is slow: 3 s on the Acme A1."),
        found("qnn", "b", "The B+ is slow: 3 s on the B+."),
        found("qnn", "c", "The Acme A10 is slow: 4 s on the Acme A10."),
    ]
    both, alone = across_deployments(said, devices)
    assert both.first.message == "The target is slow: 3 s on the target."
    assert (both.devices, alone.devices) == ("a and b", "c")
    assert alone.first.message == said[2].first.message
