# ruff: noqa: E501  (messages stand as they were said)
"""Messages of TensorRT, read without it: some seen from TensorRT for RTX, and recorded ones of
TensorRT itself, which needs a GPU to speak."""

from __future__ import annotations

import pytest

from modellint.runtimes.tensorrt import log as tensorrt_log
from modellint.runtimes.tensorrt.log import Line, distil, refusal


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("false", "false"),
        (
            'creator && "Plugin not found, are the plugin name, version, and namespace correct?"',
            "Plugin not found, are the plugin name, version, and namespace correct?",
        ),
        (
            (
                'Assertion failed: convertDtype(onnxDtype.elem_type(), &trtDtype) && "Failed to '
                'convert ONNX date type to TensorRT data type."'
            ),
            "Failed to convert ONNX date type to TensorRT data type",
        ),
        (
            (
                "Assertion failed: shiftIsAllZeros(zeroPoint): Non-zero zero point is not supported. "
                "Please set kENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA to enable it."
            ),
            ("Non-zero zero point is not supported"),
        ),
        (
            "Failed to import initializer: In node -1 with name:  and operator:  (importInitializers): UNSUPPORTED_NODE: Assertion failed: ctx->getWeightsContext().convertOnnxWeights(initializer, &weights): Failed to import initializer: conv.weight",
            "it cannot read the stored tensor 'conv.weight'",
        ),
        (
            (
                "Invalid Node - /norm\nITensor::getDimensions: Error Code 4: API Usage Error (/norm: "
                "INormalizationLayer `input` and `scale` must have identical types. `input` type is "
                "Float and `scale` type is Half. In validateTypes at "
                "/_src/optimizer/common/nodes/normalizationNode.cpp:37)\n"
                "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError "
                "at /_src/common/dispatch/checkMacros.cpp:250 (cudaError 35: CUDA driver version is "
                "insufficient for CUDA runtime version))"
            ),
            (
                "/norm: INormalizationLayer `input` and `scale` must have identical types. `input` "
                "type is Float and `scale` type is Half"
            ),
        ),
        (
            (
                "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([pass.cpp:337: "
                "check_turing_op_compatibility] Cannot compile operation '/mm' for Turing (SM75): FP32 "
                "GEMM is not supported. In compileGraph at /_src/optimizer/myelin/codeGenerator.cpp:9)"
            ),
            "Cannot compile operation '/mm' for Turing (SM75): FP32 GEMM is not supported",
        ),
        (
            (
                "IBuilder::buildSerializedNetwork: Error Code 10: Internal Error (Could not find any "
                "implementation for node /conv. In computeCosts at optimizer/common/tactic.cpp:4048)"
            ),
            "Could not find any implementation for node /conv",
        ),
        ("Invalid Node - Constant", ""),
        ("", ""),
    ],
)
def test_the_reason_is_distilled(said: str, meant: str) -> None:
    assert distil(said) == meant


@pytest.mark.parametrize(
    ("code", "text", "op", "kind"),
    [
        ("UNSUPPORTED_NODE", "false", "Det", "no-importer"),
        ("INVALID_NODE", 'creator && "Plugin not found, are"', "Foo", "no-plugin"),
        (
            "INVALID_NODE",
            "Invalid Node - x\nError Code 4: Shape Error (no)",
            "Add",
            "shape-conflict",
        ),
        ("UNSUPPORTED_NODE", 'Assertion failed: a && "strings"', "", "model-refused"),
        ("INVALID_NODE", "Invalid Node - x", "Constant", "node-refused"),
    ],
)
def test_refusals_are_distinguished(code: str, text: str, op: str, kind: str) -> None:
    remark = refusal(code, text, "x", op, 3)
    assert remark.kind == kind
    assert kind in ("no-importer", "no-plugin") or remark.text


RECORDED: list[Line] = [
    ("info", "[MemUsageChange] Init CUDA: CPU +13, GPU +0, now: CPU 21, GPU 331 (MiB)"),
    ("warning", "Unused Input: mask"),
    (
        "warning",
        "[RemoveDeadLayers] Input Tensor mask is unused or used only at compile-time, but is not being removed.",
    ),
    (
        "warning",
        "Your ONNX model has been generated with INT64 weights, while TensorRT does not natively support INT64. Attempting to cast down to INT32.",
    ),
    ("warning", "One or more weights outside the range of INT32 was clamped"),
    ("info", "Detected 2 inputs and 1 output network tensors."),
    (
        "warning",
        "TensorRT encountered issues when converting weights between types and that could affect accuracy.",
    ),
    ("warning", "Check verbose logs for the list of affected weights."),
    (
        "warning",
        "Weights [name=layer1.0.conv1.weight] had the following issues when converted to FP16:",
    ),
    ("warning", " - Subnormal FP16 values detected. "),
    (
        "warning",
        " - Values less than smallest positive FP16 Subnormal value detected. Converting to FP16 minimum subnormalized value. ",
    ),
    ("warning", "Weights [name=head.bias] had the following issues when converted to FP16:"),
    (
        "warning",
        " - Finite FP32 values which would overflow in FP16 detected.  Clipping values to the closest finite FP16 value. ",
    ),
    (
        "warning",
        "Running layernorm after self-attention in FP16 may cause overflow. Exporting the model to the latest available ONNX opset (later than opset 17) to use the INormalizationLayer, or forcing layernorm layers to run in FP32 precision can help with preserving accuracy.",
    ),
    ("info", "Total Host Persistent Memory: 304272 bytes"),
    ("info", "Total Device Persistent Memory: 512 bytes"),
    ("info", "Max Scratch Memory: 4608 bytes"),
    ("info", "Total Activation Memory: 7225344 bytes"),
    ("info", "Total Weights Memory: 51041856 bytes"),
    (
        "verbose",
        "Engine Layer Information:\nLayer(Reformat): Reformatting CopyNode for Input Tensor 0 to /conv1/Conv + /relu/Relu, Tactic: 0x00000000000003e8, x (Float[1,3,224,224]) -> Reformatted Input Tensor 0 to /conv1/Conv + /relu/Relu (Half[1,3:4,224,224])\nLayer(CaskConvolution): /conv1/Conv + /relu/Relu, Tactic: 0x0f6ba1e5b0320393, Reformatted Input Tensor 0 to /conv1/Conv + /relu/Relu (Half[1,3:4,224,224]) -> /relu/Relu_output_0 (Half[1,64:8,112,112])",
    ),
    ("info", "Engine generation completed in 41.7 seconds."),
]
"""Lines in the words of TensorRT 8 and 10, as public build logs hold them."""


def test_the_planners_figures() -> None:
    assert tensorrt_log.figures(RECORDED) == {
        "activation_bytes": 7225344,
        "weight_bytes": 51041856,
        "scratch_bytes": 4608,
    }


def test_layers_with_their_nodes() -> None:
    reformat, convolution = tensorrt_log.layers(RECORDED)
    assert reformat.startswith("Reformat: Reformatting CopyNode for Input Tensor 0")
    assert convolution.startswith("CaskConvolution: /conv1/Conv + /relu/Relu | Reformatted Input")


def test_warnings_worth_knowing() -> None:
    assert [(each.kind, each.value) for each in tensorrt_log.warnings(RECORDED)] == [
        ("unused-input", "mask"),
        ("int64-narrowed", ""),
        ("int64-clamped", ""),
        ("subnormal-weights", "layer1.0.conv1.weight"),
        ("overflowing-weights", "head.bias"),
        ("fp16-layernorm", ""),
    ]


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (
            "IBuilder::buildSerializedNetwork: Error Code 10: Internal Error (Could not find any implementation for node /conv.)",
            "build-failed",
            "node /conv",
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 4: Internal Error (kOPT values for profile 0 violate shape constraints: /Resize_2: no. In x at /_src/y.cpp:1)",
            "shape-conflict",
            "/Resize_2",
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (Network has dynamic or shape inputs, but no optimization profile has been defined. In validate at /_src/n.cpp:4023)",
            "profile-invalid",
            "no optimization profile",
        ),
        (
            "[localCheckMacros.cpp::getErrorStr::132] Error Code 2: OutOfMemory (Requested size was 68719476736 bytes.)",
            "workspace-exceeded",
            "68719476736",
        ),
    ],
)
def test_why_there_is_no_engine(error: str, kind: str, part: str) -> None:
    cuda = "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError)"
    remark = tensorrt_log.build_failure([("error", cuda), ("error", error), ("error", "later")])
    assert remark.kind == kind
    assert part in remark.text


def test_no_reason_is_said_to_be_none() -> None:
    assert tensorrt_log.build_failure([]).text == "no reason given"
