"""The log of ONNX Runtime's QNN provider: which nodes it takes, and why not the others."""

from __future__ import annotations

from modellint.runtimes.qnn.log import NodeUnit, node_units

ASKED = "[V:onnxruntime: execution_provider.cc] GetCapability pass"
TAKEN = """\
\x1b[0;93m[V] Validation PASSED for 3 nodes in OrtNodeUnit (Relu) :
\tOperator type: DequantizeLinear Node name: dq Node index: 1
\tOperator type: Relu Node name: act Node index: 2
\tOperator type: QuantizeLinear Node name: q Node index: 3\x1b[m"""
LEFT = """\
[V] Validation FAILED for 1 nodes in OrtNodeUnit (ArgMax) :
\tOperator type: ArgMax Node name: arg Node index: 4
\tREASON : QNN ArgMax/ArgMin only support select_last_index=0."""
UNKNOWN = """\
[V] Validation FAILED for 1 nodes in OrtNodeUnit (Trilu) :
\tOperator type: Trilu Node name:  Node index: 5
\tREASON : Operators of type `Trilu` are not supported by QNN EP.Trilu node `` will not be assigned
[V] another line"""


def test_units_and_reasons() -> None:
    relu, arg_max, trilu = node_units(f"{ASKED}\n{TAKEN}\n{LEFT}\n{UNKNOWN}")
    pairs = (("dq", "DequantizeLinear"), ("act", "Relu"), ("q", "QuantizeLinear"))
    assert relu == NodeUnit("Relu", pairs, taken=True)
    assert relu.name == "act"
    assert not arg_max.taken
    assert arg_max.reason == "QNN ArgMax/ArgMin only support select_last_index=0."
    assert trilu.reason == "Operators of type `Trilu` are not supported by QNN EP"


def test_the_librarys_own_reason_says_more() -> None:
    vague = (
        "[V] Validation FAILED for 1 nodes in OrtNodeUnit (Conv) :\n"
        "\tOperator type: Conv Node name: first_token_3 Node index: 5\n"
        "\tREASON : Failed to add node."
    )
    errors = (
        "[V:a.cc:1 QnnLogging]  <E> unexpected GraphHtpSettings option 66\n"
        "[V:a.cc:1 QnnLogging]  <E> The SocModel doesn't support FP16\n"
        "[V:a.cc:1 QnnLogging]  <E> QnnBackend_validateOpConfig failed 3110"
    )
    first, second = node_units(f"{ASKED}\n{errors}\n{vague}\n{vague}")
    assert first.name == "first"
    assert first.reason == "the chip does not compute floats"
    assert second.reason == "Failed to add node."


def test_the_last_answer_counts() -> None:
    log = f"{ASKED}\n{TAKEN}\n{LEFT}\n{ASKED}\n{TAKEN}"
    assert [unit.op for unit in node_units(log)] == ["Relu"]


def test_a_log_without_answers() -> None:
    assert node_units("") == []
    assert node_units("[E] the library cannot be loaded\n" * 1000) == []
