"""In the child process: imports a model into IREE, and compiles it for CPUs."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.runtimes.probe import Remark, Tell, as_plain, source_of

LOWERING = "builtin.module(torch-onnx-to-torch-backend-pipeline,torch-to-iree)"
"""The passes for every device, from operators of ONNX to the compiler's own input."""
FIRST = "builtin.module(func.func(convert-torch-onnx-to-torch))"
"""The first of these passes, which looks at single operators, and is quick."""
_CPU = (
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=generic",
)
CPUS = {
    "x86-64": (*_CPU, "--iree-llvmcpu-target-triple=x86_64-unknown-linux-gnu"),
    "AArch64": (*_CPU, "--iree-llvmcpu-target-triple=aarch64-unknown-linux-gnu"),
}
"""Options of the compiler, by the architecture that it compiles for."""
NO_LOWERING = "IREE has no lowering for it, in this form and operator set"
MOST_WORDS = 300
LARGE = 1 << 20
"""Bytes from which on the elements of a weight tell nothing about shapes."""
_FAILED = re.compile(
    r'error: (?:loc\()?(?:"(?P<node>[^"]*)"\)?: )?failed to legalize operation \'torch\.operator\''
    r'.*?name = "onnx\.(?P<op>\w+)"',
    re.DOTALL,
)
_LEFT = re.compile(r'torch\.operator "onnx\.')
_ERROR = re.compile(r'error: (?:(?:loc\()?"(?P<node>[^"]*)"\)?: )?(?P<text>.*)')
_DUMP = re.compile(r": %\w+ = .*| loc\(.*|\.\s+see current operation.*|: input: \".*|\.+$")
"""Text after a reason: the operation in IREE's own words, or the node in onnx's."""


class RefusedError(Exception):
    """IREE does not take a model."""

    def __init__(self, remark: Remark) -> None:
        super().__init__(remark.text)
        self.remark = remark


def answer(request: dict[str, Any], tell: Tell) -> None:
    tell_compiled(request, tell, CPUS)


def tell_compiled(
    request: Mapping[str, Any], tell: Tell, devices: Mapping[str, Sequence[str]]
) -> None:
    """Tell whether a model can be imported, and compiled for each of some devices."""
    version = metadata.version("iree-base-compiler")
    said: dict[str, Any] = {"version": version, "level": request["level"]}
    started = time.perf_counter()
    try:
        model = loaded(source_of(request))
        module = lowered(model)
    except RefusedError as error:
        tell({**said, "status": "refused", "remarks": as_plain([error.remark])})
        return
    read = time.perf_counter()
    figures: dict[str, Any] = {"parse_seconds": read - started}
    if request["level"] != "parse":
        tell({**said, "level": "parse", "status": "accepted", "figures": figures})
        ops = {node.name: node.op_type for node in model.graph.node}
        remarks = []
        for device, flags in devices.items():
            made = compiled(module, device, flags, ops)
            if isinstance(made, Remark):
                remarks.append(made)
            else:
                figures["engine_bytes"] = max(made, figures.get("engine_bytes", 0))
        figures["build_seconds"] = time.perf_counter() - read
        if remarks:
            refusal = {"status": "refused", "remarks": as_plain(remarks)}
            tell({**said, **refusal, "figures": figures})
            return
    tell({**said, "status": "accepted", "figures": figures})


def first_refusal(model: Any, context: Any) -> str | None:
    """Return why the first pass does not lower all of a model; None if it does.

    It leaves operators that it does not know, without a word.
    """
    try:
        module = lowered(model, FIRST, context)
    except RefusedError as error:
        return str(error)
    left = _LEFT.search(module.get_asm(large_elements_limit=8))
    return NO_LOWERING if left else None


def loaded(source: bytes | Path) -> Any:
    """Return a model as IREE's importer loads it; raise if it does not."""
    onnx = import_module("onnx")
    try:
        return onnx.load_from_string(source) if isinstance(source, bytes) else onnx.load(source)
    except MemoryError:
        raise
    except Exception as error:  # of onnx and protobuf, with no common base class
        raise RefusedError(_of_exception(error)) from None


def lowered(model: Any, passes: str = LOWERING, context: Any = None) -> Any:
    """Return a module after some of the compiler's passes; raise if they refuse the model."""
    ir = import_module("iree.compiler.ir")
    importer = import_module("iree.compiler.extras.onnx_importer")
    manager = import_module("iree.compiler.passmanager").PassManager
    try:
        info = importer.ModelInfo(inferred(model))
        module = info.create_module(context=context or ir.Context()).operation
        importer.NodeImporter.define_function(info.main_graph, module).import_all()
        module.verify()
        with module.context:
            manager.parse(passes).run(module)
    except (ir.MLIRError, importer.OnnxImportError) as error:
        raise RefusedError(remark_of(str(error))) from None
    except MemoryError:
        raise
    except Exception as error:  # of the importer and of onnx, with no common base class
        raise RefusedError(_of_exception(error)) from None
    return module


def inferred(model: Any) -> Any:
    """Return a model with the types that can be inferred; it takes the large weights out of it.

    With them, a model of 2 GiB cannot be passed on as one message.
    """
    inference = import_module("onnx.shape_inference")
    taken = {}
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= LARGE:
            taken[tensor.name] = tensor.raw_data
            tensor.ClearField("raw_data")
    found = inference.infer_shapes(model, data_prop=True)
    for tensor in found.graph.initializer:
        if tensor.name in taken:
            tensor.raw_data = taken.pop(tensor.name)
    return found


def compiled(
    module: Any, device: str, flags: Sequence[str], ops: Mapping[str, str]
) -> int | Remark:
    """Return the size of a module compiled for a device, or why it does not compile."""
    tools = import_module("iree.compiler.tools")
    code = module.get_asm(binary=True, enable_debug_info=True)
    with TemporaryDirectory() as folder:
        target = Path(folder, "model.vmfb")
        try:
            tools.compile_str(code, output_file=str(target), extra_args=list(flags))
        except tools.CompilerToolError as error:
            node, text = reason_in(str(error))
            return Remark("build-failed", f"for {device}: {text}", node=node, op=ops.get(node, ""))
        return target.stat().st_size


def remark_of(error: str) -> Remark:
    """Return what IREE says about the first operator that it does not lower."""
    failed = _FAILED.search(error)
    if failed:
        return Remark("no-importer", NO_LOWERING, node=failed["node"] or "", op=failed["op"])
    node, text = reason_in(error)
    return Remark("model-refused", text, node=node)


def reason_in(error: str) -> tuple[str, str]:
    """Return the first error of what IREE prints, and the node that it names, if any."""
    found = _ERROR.search(error)
    if found is None:
        return "", _brief(error)
    return found["node"] or "", _brief(found["text"])


def _of_exception(error: Exception) -> Remark:
    return Remark("model-refused", _brief(f"{type(error).__name__}: {error}"))


def _brief(text: str) -> str:
    """Return the first line, without what is dumped after the reason."""
    return _DUMP.sub("", text.strip().partition("\n")[0])[:MOST_WORDS]
