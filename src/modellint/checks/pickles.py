"""PyTorch files: code that loading them would run, and data other than weights."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.torch.facts import Import, TorchFacts, torch_facts
from modellint.formats.torch.weights_only import (
    modern,
    refused_imports,
    refused_opcodes,
    weights_only,
)
from modellint.model import Tensor

_MODULES = frozenset(
    """
    os posix nt subprocess sys socket shutil pty runpy importlib ctypes pickle _pickle marshal
    code codeop asyncio multiprocessing threading webbrowser http urllib requests aiohttp ftplib
    smtplib telnetlib pip bdb pdb timeit cProfile profile trace signal platform tempfile
    _posixsubprocess commands popen2 winreg _winreg ssl httplib imaplib imp zipimport pkgutil
    doctest pydoc idlelib lib2to3 ensurepip venv distutils cgitb site
    """.split()
)
"""Modules no weight needs: they reach the system, the network, or run code."""
_NAMES = frozenset(
    """
    builtins.eval builtins.exec builtins.compile builtins.open builtins.__import__
    builtins.getattr builtins.setattr builtins.delattr builtins.globals builtins.locals
    builtins.vars builtins.breakpoint builtins.input operator.attrgetter operator.methodcaller
    operator.itemgetter functools.partial functools.reduce types.FunctionType types.CodeType
    torch.load torch.hub.load torch.hub.load_state_dict_from_url torch.serialization.load
    torch.utils.data.datapipes.utils.decoder.basichandlers torch._inductor.codecache.compile_file
    numpy.load numpy.testing._private.utils.runstring
    functools.partialmethod io.open _io.open io.FileIO _io.FileIO uuid._get_command_stdout
    logging.config.listen logging.config.fileConfig logging.config.dictConfig
    torch.jit.unsupported_tensor_ops.execWrapper torch.utils.collect_env.run
    torch._dynamo.guards.GuardBuilder.get torch.utils._config_module.ConfigModule.load_config
    torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression
    joblib.load dill.load dill.loads cloudpickle.load cloudpickle.loads pandas.read_pickle
    """.split()
)
"""Functions of other modules that do."""
_TRAINING = ("optimizer", "optimizer_state_dict", "optim", "optimizer_states", "lr_scheduler")
_CPU = ("cpu", "meta")


def pickle_runs_code(context: Context) -> Iterator[Hit]:
    """Imports that reach the system or run code when the file is loaded."""
    facts = torch_facts(context.model)
    if facts is None or facts.container == "torchscript":
        return
    found = [each for each in map(modern, facts.imports) if _is_dangerous(each)]
    if found:
        yield Hit(None, {"imported": str(found[0]), "imports": list(map(str, found))})


def _is_dangerous(imported: Import) -> bool:
    return imported.module.partition(".")[0] in _MODULES or str(imported) in _NAMES


def pickle_needs_trust(context: Context) -> Iterator[Hit]:
    """Content that torch.load builds only if the file is trusted."""
    facts = _pickled(context)
    if facts is None:
        return
    release = {"version": weights_only().version}
    refused = list(refused_imports(facts))
    if facts.saved is not None and modern(facts.saved) in refused:
        return  # the rule about whole objects says so
    others = [each for each in refused if not _is_dangerous(each)]
    if others:
        named = {"imported": str(others[0]), "imports": list(map(str, others)), **release}
        yield Hit(None, named, count=len(others))
    elif not refused and refused_opcodes(facts):
        opcode = refused_opcodes(facts)[0]
        yield Hit(None, {"opcode": opcode, **release}, variant="instruction")


def _pickled(context: Context) -> TorchFacts | None:
    """Return the facts of a file that is loaded by unpickling it."""
    facts = torch_facts(context.model)
    return facts if facts is not None and facts.container in ("archive", "stream") else None


def storage_mostly_unused(context: Context) -> Iterator[Hit]:
    """Tensors that use only a small part of their storage."""
    facts = torch_facts(context.model)
    least: int = context.options["min-bytes"]
    found = [each for each in facts.storages if each.size - each.used >= least] if facts else []
    if found:
        unused = sum(each.size - each.used for each in found)
        first = max(found, key=lambda each: each.size - each.used)
        names = {"tensor": first.tensor, "size": first.size, "used": first.used}
        yield Hit(_tensor(context, first.tensor), names | {"unused": unused}, count=len(found))


def _tensor(context: Context, name: str) -> Tensor | None:
    return next((each for each in context.model.tensors if each.name == name), None)


def saved_from_device(context: Context) -> Iterator[Hit]:
    """Tensors that are loaded to the device that they were saved from."""
    facts = torch_facts(context.model)
    if facts is None or facts.container not in ("archive", "stream"):
        return
    devices = {name: count for name, count in facts.locations.items() if name not in _CPU}
    if devices:
        device = max(devices, key=lambda name: devices[name])
        yield Hit(None, {"device": device, "tensors": devices[device]})


def object_saved_whole(context: Context) -> Iterator[Hit]:
    """Models whose classes have to be importable under the same names."""
    facts = _pickled(context)
    if facts is not None and facts.saved is not None and context.model.tensors:
        yield Hit(None, {"saved": str(facts.saved)})


def old_container(context: Context) -> Iterator[Hit]:
    """Files that PyTorch before 1.6 wrote, which cannot be mapped into memory."""
    facts = torch_facts(context.model)
    if facts is not None and facts.container == "stream":
        yield Hit()


def training_state(context: Context) -> Iterator[Hit]:
    """Checkpoints with data that only training needs."""
    facts = _pickled(context)
    key = next((key for key in facts.keys if key in _TRAINING), None) if facts else None
    if key is None:
        return
    tensors = context.model.tensors
    size = sum(each.nbytes for each in tensors if each.name.startswith(f"{key}."))
    if size:
        total = context.model.weight_bytes
        yield Hit(None, {"key": key, "size": size, "share": size / total})


def torchscript(context: Context) -> Iterator[Hit]:
    """Programs in a format that PyTorch has deprecated."""
    facts = torch_facts(context.model)
    if facts is not None and facts.container == "torchscript":
        yield Hit()
