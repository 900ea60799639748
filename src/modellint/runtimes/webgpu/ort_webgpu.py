"""The provider for WebGPU of ONNX Runtime Web."""

from modellint.runtimes.webgpu.log import placement_in
from modellint.runtimes.webnn.ort_web import WebProvider

WEBGPU = WebProvider(
    {"name": "webgpu"},
    "ort.webgpu.min.mjs",
    (
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--enable-features=Vulkan,SharedArrayBuffer",
        "--in-process-gpu",
        "--use-gl=angle",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
    ),
    placement_in,
    "navigator.gpu.requestAdapter()",
)
"""As `onnxruntime-web/webgpu` has it; the package's main file has an older one."""
