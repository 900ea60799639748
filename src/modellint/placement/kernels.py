"""Decision which nodes ONNX Runtime computes on a GPU, by the kernels that it registers for it.

A node with a kernel goes to the GPU, except for what computes shapes: nodes that read nothing but
what is in the computer's memory already stay there (fallback_cpu_capability.cc, version 1.31).
Kernels have some of their inputs and outputs there, too. What one side writes and the other reads
is copied by a node of its own (transformer_memcpy.cc).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from modellint.analysis.duplicates import Repeated
from modellint.formats.onnx.facts import normal_domain
from modellint.forms.forms import opset_of, refused_form, type_at
from modellint.model import Node, Value, is_static
from modellint.operators import Trait, having
from modellint.placement.judging import NodeJudge
from modellint.placement.placed import Boundary, NotTaken
from modellint.placement.stages import stages
from modellint.runtimes.kernels import KernelTable, kernels

_STAYS = NotTaken("neighbor", "reads only what the CPU has, such as shapes")
_FED = NotTaken("neighbor", "reads an input that the other unit reads, too")
_HALVES = frozenset(
    {"float16", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"}
)
_DEQUANTIZE = having(Trait.DEQUANTIZE)
_MOST_ITEMS = 100
"""Items of a constant that does not keep a node on the GPU."""


class KernelJudge(NodeJudge):
    """A model for a deployment, before the kernels of its runtime."""

    @cached_property
    def _hosts(self) -> dict[int, frozenset[str]]:
        return {}

    @cached_property
    def _refusals(self) -> dict[int, NotTaken | None]:
        return {}

    @cached_property
    def _kernels(self) -> KernelTable:
        found = kernels(self._runtime, self._deployment.runtime_version, self._placing.kernels)
        assert found is not None  # for the runtimes that are judged so
        return found

    @property
    def version(self) -> str:
        return self._kernels.version

    @property
    def _runtime(self) -> str:
        return self._deployment.runtime or ""

    def runs(self, node: Node) -> bool:
        return super().runs(node) or self._is_all_there_is(node)

    def _is_all_there_is(self, node: Node) -> bool:
        """Return True for an Identity from what is given or stored to an output, which stays."""
        source, result = node.input(0), node.output()
        if source is None or result is None or not result.is_output:
            return False
        return node.op_type in self._removed and self._source(source).producer is None

    def follows_its_reader(self, node: Node) -> bool:
        return False

    def refusal(self, node: Node) -> NotTaken | None:
        return self._own_refusal(node) or (_STAYS if id(node) in self._cheap else None)

    def _own_refusal(self, node: Node) -> NotTaken | None:
        if id(node) not in self._refusals:
            self._refusals[id(node)] = self._found_refusal(node)
        return self._refusals[id(node)]

    def _found_refusal(self, node: Node) -> NotTaken | None:
        """Return why a node cannot run on the GPU; one that is replaced by its body can."""
        opset = opset_of(node)
        fused = self._fused.get(id(node), "")
        too_old = self._too_old(node)
        if too_old is not None:
            return too_old
        if opset is None or (fused and fused in self._kernels.operators[""]):
            return None
        if self._model.function_of(node) is not None:
            return None
        domain, op = normal_domain(node.domain), node.op_type
        types = lambda place: type_at(node, place)  # noqa: E731 - it is this node's
        if not self._kernels.has_kernel(domain, op, opset, types):
            replaced = self._on_cpu is not None and self._on_cpu.is_replaced(
                domain, op, opset, types
            )
            return None if replaced else self._without_kernel(domain, op, opset, node)
        words = (refused_form(self, node, form) for form in self._forms.get(self.key(node), ()))
        found = next(filter(None, words), "")
        return NotTaken("form", f"{self._has_none} that accepts {found}") if found else None

    def _without_kernel(self, domain: str, op: str, opset: int, node: Node) -> NotTaken:
        if not self._kernels.has_kernel(domain, op, opset, lambda _: None):
            return NotTaken("operator", f"{self._has_none} at opset {opset}")
        for place in self._kernels.places(domain, op, opset):
            found = type_at(node, place)
            taken = self._kernels.kernel_types(domain, op, opset, place)
            if found is not None and found not in taken:
                others = ", ".join(taken)
                return NotTaken("type", f"{self._has_none} that accepts {found}, only {others}")
        return NotTaken("type", f"{self._has_none} that accepts these types")

    @property
    def _has_none(self) -> str:
        return f"has no kernel for {self._placing.api}"

    @cached_property
    def _on_cpu(self) -> KernelTable | None:
        return kernels("onnxruntime", self._deployment.runtime_version)

    # What stays with the CPU.

    @cached_property
    def _cheap(self) -> frozenset[int]:
        """Return the nodes that have kernels for the GPU, but stay on the CPU."""
        if not self._placing.keeps_shapes:
            return frozenset()
        found: set[int] = set()
        in_ram: set[int] = set()
        reached: set[int] = set()
        for node in self._model.graph.ordered:
            if not self.runs(node):
                continue
            on_gpu = self._own_refusal(node) is None
            stays = id(node) in reached and (not on_gpu or self._reads_ram(node, in_ram))
            if stays and on_gpu:
                found.add(id(node))
            written = node.outputs if stays else self._written_to_ram(node) if on_gpu else ()
            for value in filter(None, written):
                in_ram.add(id(value))
                reached |= {id(reader) for reader, _ in self._readers(value)}
        return frozenset(found)

    def _reads_ram(self, node: Node, in_ram: set[int]) -> bool:
        host = self._host(node)
        for place, value in enumerate(node.inputs):
            if value is None or self._is_half(value):
                return False
            source = self._source(value)
            if source.is_input or self._is_small_constant(source):
                continue
            if id(source) not in in_ram or str(place) in host:
                return False
        return True

    def _is_half(self, value: Value) -> bool:
        dtype = self.dtype(value)
        return dtype is not None and dtype.name in _HALVES

    def _is_small_constant(self, value: Value) -> bool:
        shape = self.shape(value) if self.is_frozen(value) else None
        if shape is None or not is_static(shape):
            return False
        return math.prod(dim for dim in shape if isinstance(dim, int)) <= _MOST_ITEMS

    # Where values are.

    def _host(self, node: Node) -> frozenset[str]:
        """Return the places of a node's kernel that are in the computer's memory."""
        if id(node) not in self._hosts:
            self._hosts[id(node)] = self._found_host(node)
        return self._hosts[id(node)]

    def _found_host(self, node: Node) -> frozenset[str]:
        opset = opset_of(node)
        return (
            self._kernels.host(normal_domain(node.domain), node.op_type, opset)
            if opset
            else frozenset()
        )

    def _written_to_ram(self, node: Node) -> Iterator[Value]:
        host = self._host(node)
        yield from (
            value
            for place, value in enumerate(node.outputs)
            if value is not None and f"o{place}" in host
        )

    def _source(self, value: Value) -> Value:
        """Return the value that removed nodes pass on."""
        seen = set()  # a node may read its own output
        while value.producer is not None and self.removes(value.producer):
            given = value.producer.input(0)
            if given is None or id(given) in seen:
                break
            seen.add(id(given))
            value = given
        return value

    def _readers(self, value: Value) -> Iterator[tuple[Node, int | None]]:
        """Iterate over nodes that read a value, and at which place; None from within a subgraph."""
        seen, waiting = {id(value)}, [value]
        while waiting:
            for use in waiting.pop().consumers:
                reader, place = use.node, use.index
                inside = reader.graph is not self._model.graph
                while reader.graph.parent is not None:
                    reader = reader.graph.parent
                if inside or not self.removes(reader):
                    yield reader, None if inside else place
                elif (result := reader.output()) is not None and id(result) not in seen:
                    seen.add(id(result))
                    waiting.append(result)

    @cached_property
    def _twins(self) -> Mapping[int, Node]:
        """Return the nodes that ONNX Runtime removes, as an earlier one computes the same."""
        return self.analysis(Repeated).twins

    @cached_property
    def _alike(self) -> Mapping[int, list[Node]]:
        """Return by the id of a node those that are removed for it."""
        found: dict[int, list[Node]] = defaultdict(list)
        for node in self._model.graph.ordered:
            if id(node) in self._twins:
                found[id(self._twins[id(node)])].append(node)
        return found

    def _readers_of_alike(self, node: Node, place: int) -> Iterator[tuple[Node, int | None]]:
        """Iterate over the consumers of a node, or of a node that is removed for it."""
        for each in (node, *self._alike.get(id(node), ())):
            value = each.output(place)
            if value is not None:
                yield from self._readers(value)

    # Copies.

    def parts(self, nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
        def is_copied(maker: Node, value: Value) -> bool:
            return is_taken(maker) and not any(v is value for v in self._written_to_ram(maker))

        return stages(nodes, is_taken, is_copied, self._source)

    def boundaries(
        self, nodes: Sequence[Node], refusals: Mapping[int, NotTaken]
    ) -> Iterator[Boundary]:
        here = {id(node) for node in nodes}
        unit, other = self._placing.unit, self._placing.fallback

        def in_ram(node: Node, place: str) -> bool:
            return id(node) in refusals or place in self._host(node)

        for node in (each for each in nodes if id(each) not in self._twins):
            for place, value in enumerate(node.outputs):
                if value is None:
                    continue
                kept = in_ram(node, f"o{place}")
                for reader, at in self._readers_of_alike(node, place):
                    if at is None or id(reader) not in here or in_ram(reader, str(at)) == kept:
                        continue
                    cause = next((each for each in (reader, node) if id(each) in refusals), reader)
                    why = refusals.get(id(cause), _reads_in_ram(at))
                    yield self.boundary(
                        value, *((other, unit) if kept else (unit, other)), cause, why
                    )
                    if node.op_type not in _DEQUANTIZE:  # which is repeated for each reader
                        break
        for value in self._model.fed:
            uses = [each for each in self._readers(value) if each[1] is not None]
            homes = {in_ram(reader, str(at)) for reader, at in uses if id(reader) in here}
            if len(homes) == 2:
                cause = next(reader for reader, at in uses if in_ram(reader, str(at)))
                yield self.boundary(value, other, unit, cause, refusals.get(id(cause), _FED))


def _reads_in_ram(place: int) -> NotTaken:
    return NotTaken("neighbor", f"reads input {place + 1} in the computer's memory")
