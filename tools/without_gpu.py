"""Runs ONNX Runtime's provider for CUDA without a GPU, to see where it would place nodes.

The provider's library is loaded with libraries of our own that have the names and functions of
CUDA's: memory is the computer's own, and nothing is computed. So sessions can be created, but not
run. It needs gcc, binutils and the package onnxruntime-gpu.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

LIBRARY = "libonnxruntime_providers_cuda.so"
READY = "MODELLINT_WITHOUT_GPU"
"""Set in the process that has the libraries."""
LOADED_LATER = {"libcudnn.so.9": r"cudnn[A-Z]\w+", "libcufft.so.12": r"cufft[A-Z]\w+"}
"""Libraries that the provider opens itself, and the names of their functions."""
UNVERSIONED = "libcuda.so.1"
NUMBERS = {
    "cudaDriverGetVersion": 13000,
    "cudaGetDevice": 0,
    "cudaGetDeviceCount": 1,
    "cudaRuntimeGetVersion": 13000,
    "cudaStreamIsCapturing": 0,
    "cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags": 1,
}
"""Functions that write a number."""
ALLOCATE = "{ *place = malloc(size ? size : 1); return *place ? 0 : 2; }"
COPY = "{ memcpy(to, from, size); return 0; }"
FILL = "{ memset(to, byte, size); return 0; }"
RELEASE = "{ free(place); return 0; }"
BODIES = {
    "__cudaRegisterFatBinary": "void **NAME(void *code) { static void *handle; return &handle; }",
    "cudaMalloc": "int NAME(void **place, size_t size) " + ALLOCATE,
    "cudaMallocHost": "int NAME(void **place, size_t size) " + ALLOCATE,
    "cudaHostAlloc": "int NAME(void **place, size_t size, unsigned flags) " + ALLOCATE,
    "cudaMallocFromPoolAsync": "int NAME(void **place, size_t size, void *pool, void *s) "
    + ALLOCATE,
    "cudaFree": "int NAME(void *place) " + RELEASE,
    "cudaFreeHost": "int NAME(void *place) " + RELEASE,
    "cudaFreeAsync": "int NAME(void *place, void *stream) " + RELEASE,
    "cudaMemcpy": "int NAME(void *to, const void *from, size_t size, int kind) " + COPY,
    "cudaMemcpyAsync": "int NAME(void *to, const void *from, size_t size, int kind, void *s) "
    + COPY,
    "cudaMemset": "int NAME(void *to, int byte, size_t size) " + FILL,
    "cudaMemsetAsync": "int NAME(void *to, int byte, size_t size, void *stream) " + FILL,
    "cudaMemGetInfo": "int NAME(size_t *rest, size_t *all) { *rest = *all = 24ul << 30; "
    "return 0; }",
    "cudaPointerGetAttributes": "int NAME(void *to, void *of) { memset(to, 0, 64); return 0; }",
    "cudaFuncGetAttributes": "int NAME(void *to, void *of) { memset(to, 0, 128); return 0; }",
    "cudaDeviceGetAttribute": "int NAME(int *value, int which, int device) "
    "{ *value = which == 75 ? 8 : which == 76 ? 6 : which == 16 ? 72 : 49152; return 0; }",
    "cudaGetDeviceProperties": "int NAME(char *to, int device) { memset(to, 0, 1008); "
    "*(size_t *)(to + 288) = 24ul << 30; *(int *)(to + 308) = 32; *(int *)(to + 320) = 1024; "
    "*(int *)(to + 360) = 8; *(int *)(to + 364) = 6; *(int *)(to + 384) = 72; return 0; }",
    "cudnnGetVersion": "size_t NAME(void) { return 91300; }",
}
"""The device is like an A10."""
TENSORRT = """
#include <dlfcn.h>
#include <string.h>
typedef void *(*Create)(void *, void *, void *);
static void *functions[64], *provider[16], **real;
static char options[8192];
static void *create(void *result, void *self, void *given) {
  return ((Create)(*(void ***)real)[0])(result, real, options);
}
void *GetProvider(void) {
  void *library = dlopen("%s", RTLD_NOW);
  real = ((void **(*)(void))dlsym(library, "GetProvider"))();
  memcpy(functions, *(void **)real, 16 * sizeof(void *));
  functions[0] = functions[1] = create;
  provider[0] = functions;
  return provider;
}
"""
"""The package lists kernels only of all its providers; this one hands out that for CUDA instead."""


def restart_without_gpu() -> None:
    """Start the running program again with the libraries; return in the new process."""
    if os.environ.get(READY):
        sys.path.insert(0, os.environ[READY])
        return
    found = find_spec("onnxruntime")
    assert found is not None
    assert found.origin is not None
    room = Path(tempfile.mkdtemp(prefix="without-gpu-"))
    package = _copied(Path(found.origin).parent, room)
    for name, functions in _needed(package / "capi" / LIBRARY).items():
        _build(room / name, functions)
    library = package / "capi" / "libonnxruntime_providers_tensorrt.so"
    library.unlink(missing_ok=True)
    _compile(library, TENSORRT % (package / "capi" / LIBRARY), "-ldl")
    environment = {**os.environ, READY: str(room), "LD_LIBRARY_PATH": str(room)}
    done = subprocess.run([sys.executable, *sys.argv], env=environment, check=False)
    shutil.rmtree(room)
    sys.exit(done.returncode)


def _copied(package: Path, room: Path) -> Path:
    """Return the package with links to its files, so that one can be replaced."""
    for file in package.rglob("*"):
        link = room / package.name / file.relative_to(package)
        if file.is_dir():
            link.mkdir(parents=True, exist_ok=True)
        elif "__pycache__" not in file.parts:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return room / package.name


def _needed(library: Path) -> dict[str, set[str]]:
    """Return the functions of CUDA's libraries that the provider may call."""
    symbols = _said("nm", "-D", "--undefined-only", str(library))
    found: dict[str, set[str]] = defaultdict(set)
    for line in symbols:
        name, _, home = line.split()[-1].partition("@")
        if re.match(r"(__)?cu[a-zA-Z]", name):
            found[home or UNVERSIONED].add(name)
    for line in _said("readelf", "-d", str(library)):
        named = re.search(r"\[(libcu\w+\.so\.\d+)\]", line)
        if named:
            found[named[1]] |= set()
    texts = _said("strings", "-n", "6", str(library))
    for home, pattern in LOADED_LATER.items():
        found[home] |= {text for text in texts if re.fullmatch(pattern, text)}
    return found


def _said(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _build(library: Path, functions: Iterable[str]) -> None:
    source = "#include <stdlib.h>\n#include <string.h>\n" + "\n".join(_functions(functions))
    versions = library.with_suffix(".map")
    versions.write_text(f"{library.name} {{ global: *; }};\n")
    versioned = library.name not in (UNVERSIONED, *LOADED_LATER)
    options = [f"-Wl,--version-script={versions}"] if versioned else []
    _compile(library, source, f"-Wl,-soname,{library.name}", *options)


def _functions(names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        if name in BODIES:
            yield BODIES[name].replace("NAME", name)
        elif name in NUMBERS:
            yield f"int {name}(int *first, int *second) {{ *first = {NUMBERS[name]}; return 0; }}"
        elif re.search(r"Get(Error|Status)(Name|String)$", name):
            yield f'const char *{name}(int code) {{ return "none"; }}'
        elif "Create" in name:
            yield f"int {name}(void **made) {{ *made = calloc(1, 4096); return 0; }}"
        else:
            yield f"int {name}(void) {{ return 0; }}"


def _compile(library: Path, source: str, *options: str) -> None:
    command = ["gcc", "-w", "-fno-builtin", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run([*command, *options], input=source, text=True, check=True)
