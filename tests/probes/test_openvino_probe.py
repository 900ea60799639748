"""The parsing of what OpenVINO prints of models that it does not read."""

from __future__ import annotations

from modellint.runtimes.openvino.probe import NO_RULE, distilled, not_converted
from modellint.runtimes.probe import Remark

UNKNOWN = """Exception from src/inference/src/cpp/core.cpp:84:
Check 'false' failed at src/frontends/common_translators/src/unconverted_ops_report.cpp:151:
FrontEnd API failed with OpConversionFailure:
Model wasn't fully converted.
Summary:
-- No conversion rule found for operations: my.Foo, my.Bar

"""
REFUSED = """Exception from src/inference/src/cpp/core.cpp:112:
Check 'false' failed at src/plugins/intel_cpu/src/nodes/executors/executor_factory.hpp:78:
No suitable implementations.
"""


def test_operators_without_a_rule() -> None:
    assert not_converted(UNKNOWN) == [
        Remark("no-importer", NO_RULE, op="my.Foo"),
        Remark("no-importer", NO_RULE, op="my.Bar"),
    ]


def test_operators_have_their_names_without_the_operator_set() -> None:
    told = "-- No conversion rule found for operations: Det-22, my.Foo\n"
    assert [each.op for each in not_converted(told)] == ["Det", "my.Foo"]


def test_operators_of_tflite_files_without_a_rule() -> None:
    told = "FrontEnd API failed with OpConversionFailure:\nNo translator found for ATAN2 node.\n"
    assert not_converted(told) == [Remark("no-importer", NO_RULE, op="ATAN2")]


def test_the_line_about_the_model() -> None:
    assert distilled(REFUSED) == "No suitable implementations."
    assert not_converted(REFUSED) == [Remark("model-refused", "No suitable implementations.")]
