"""Functions of the expression language. With unknown arguments they return None."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from inspect import CO_VARARGS
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from modellint.base.records import dataclass
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import (
    AttributeRef,
    Node,
    Tensor,
    Value,
    element_count,
    format_shape,
    is_static,
)
from modellint.operators import Trait, names
from modellint.rules.pattern.numbers import uniform_number
from modellint.rules.pattern.scope import Scope, Symbol, every, some

if TYPE_CHECKING:
    from modellint.formats.tflite.facts import Quantization

Kind = Literal["values", "value", "surroundings", "plain"]
Body = TypeVar("Body", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class PatternFunction:
    """A function: the arguments it takes, and when the search may call it.

    ``values`` takes variables and skips absent ones; ``value`` takes a variable and then
    expressions; ``surroundings`` and ``plain`` take only expressions.
    """

    run: Callable[..., object]
    kind: Kind
    least: int
    most: float
    infers: bool
    """True if it may need shape inference, so that it is called last."""
    whole: bool
    """True if it depends on all nodes of the match."""
    takes_unknown: bool
    """True if it is called even if an argument is unknown or absent."""


FUNCTIONS: dict[str, PatternFunction] = {}
MOST_HOPS = 100
"""Limit on the Casts and similar ops to look through; they may form a cycle."""
_TRANSPARENT = frozenset(names(Trait.TRANSPARENT))


def _function(
    kind: Kind, *, infers: bool = False, whole: bool = False, takes_unknown: bool = False
) -> Callable[[Body], Body]:
    def register(body: Body) -> Body:
        code = body.__code__
        most = code.co_argcount - (kind != "plain")
        least = most - len(body.__defaults__ or ())
        unlimited = bool(code.co_flags & CO_VARARGS)
        FUNCTIONS[body.__name__.strip("_")] = PatternFunction(
            run=body,
            kind=kind,
            least=least + unlimited,
            most=math.inf if unlimited else most,
            infers=infers,
            whole=whole,
            takes_unknown=takes_unknown,
        )
        return body

    return register


# --- Where values come from and go to ------------------------------------------------------


@_function("values")
def constant(scope: Scope, *values: Value) -> bool:
    return all(value.is_constant for value in values)


@_function("values")
def frozen(scope: Scope, *values: Value) -> bool:
    return all(scope.environment.is_frozen(value) for value in values)


@_function("values")
def initializer(scope: Scope, *values: Value) -> bool:
    return all(value.is_initializer for value in values)


@_function("values")
def sole_consumer(scope: Scope, *values: Value) -> bool:
    return all(not value.is_output and _is_of_one(scope, value) for value in values)


def _is_of_one(scope: Scope, value: Value) -> bool:
    uses = value.consumers
    if len(uses) < 2:
        return bool(uses)
    return uses[-1].node is uses[0].node and len(_consuming_nodes(scope, value)) == 1


@_function("values", whole=True)
def inside(scope: Scope, *values: Value) -> bool:
    matched = {id(node) for node in scope.nodes.values()}
    return all(
        not value.is_output and _consuming_nodes(scope, value).keys() <= matched for value in values
    )


@_function("values")
def is_output(scope: Scope, *values: Value) -> bool:
    return all(value.is_output for value in values)


@_function("values")
def is_input(scope: Scope, *values: Value) -> bool:
    return all(value.is_input and not value.is_constant for value in values)


@_function("value")
def consumers(scope: Scope, value: Value) -> int:
    return len(_consuming_nodes(scope, value))


@_function("value")
def consumer_ops(scope: Scope, value: Value) -> tuple[str, ...]:
    return tuple(node.qualified_op for node in _consuming_nodes(scope, value).values())


@_function("value")
def position(scope: Scope, value: Value, user: Value) -> int | None:
    """Return the first input at which the producer of `user` consumes the value."""
    inputs = user.producer.inputs if user.producer is not None else ()
    return next((index for index, each in enumerate(inputs) if each is value), None)


@_function("value", takes_unknown=True)
def present(scope: Scope, value: Value | None) -> bool:
    return value is not None


def _consuming_nodes(scope: Scope, value: Value) -> dict[int, Node]:
    known = scope.consuming_nodes.get(id(value))
    if known is None:
        known = scope.consuming_nodes[id(value)] = {
            id(use.node): use.node for use in value.consumers
        }
    return known


# --- What makes a value --------------------------------------------------------------------


@_function("value")
def op(scope: Scope, value: Value) -> str:
    return value.producer.op_type if value.producer is not None else ""


@_function("value")
def producer_op(scope: Scope, value: Value) -> str:
    return value.producer.qualified_op if value.producer is not None else ""


@_function("value")
def source_op(scope: Scope, value: Value) -> str:
    """Return the op upstream of Casts and similar ops."""
    node = value.producer
    for _ in range(MOST_HOPS):
        if node is None or node.qualified_op not in _TRANSPARENT:
            break
        before = node.input(0)
        node = before.producer if before is not None else None
    return node.qualified_op if node is not None else ""


@_function("value")
def domain(scope: Scope, value: Value) -> str:
    return value.producer.domain if value.producer is not None else ""


@_function("value")
def attr(scope: Scope, value: Value, name: str, default: object = None) -> object:
    if value.producer is None:
        return None
    attributes = value.producer.attributes
    return _plain(attributes[name]) if name in attributes else default


@_function("value")
def has_attr(scope: Scope, value: Value, name: str) -> bool:
    return value.producer is not None and name in value.producer.attributes


@_function("value")
def outputs(scope: Scope, value: Value) -> int:
    return len(value.producer.outputs) if value.producer is not None else 0


@_function("value")
def name(scope: Scope, value: Value) -> str:
    return value.producer.label if value.producer is not None else value.name


@_function("value")
def value_name(scope: Scope, value: Value) -> str:
    return value.name


def _plain(attribute: object) -> object:
    if isinstance(attribute, AttributeRef):
        return None
    if isinstance(attribute, bytes):
        return attribute.decode("utf-8", "replace")
    return _elements(attribute) if isinstance(attribute, Tensor) else attribute


# --- What constants hold -------------------------------------------------------------------


@_function("value")
def const(scope: Scope, value: Value) -> object:
    return _elements(value.tensor) if value.tensor is not None else None


@_function("value")
def number(scope: Scope, value: Value) -> float | None:
    return uniform_number(value.tensor) if value.tensor is not None else None


@_function("value", infers=True)
def scalar(scope: Scope, value: Value) -> bool | None:
    shape = value.tensor.shape if value.tensor else scope.environment.shape(value)
    return None if shape is None else every(_is_one(dim) for dim in shape)


@_function("value")
def scales(scope: Scope, value: Value) -> tuple[float, ...] | None:
    """Return the scales that the file states with the value; empty if it is not quantized."""
    stated = _stated(scope, value)
    return None if stated.block else stated.scales


@_function("value")
def zero_points(scope: Scope, value: Value) -> tuple[int, ...]:
    return _stated(scope, value).zero_points


def _stated(scope: Scope, value: Value) -> Quantization:
    from modellint.formats.tflite.facts import Quantization, tflite_facts  # for few rules

    return tflite_facts(scope.graph.model).quantization.get(value) or Quantization()


def _is_one(dim: object) -> bool | None:
    return dim == 1 if isinstance(dim, int) else None


def _elements(tensor: Tensor) -> object:
    """Return a number for a scalar, else a flat list of elements; None if not in memory."""
    array, kind = tensor.if_small(), tensor.dtype.kind
    if array is None or kind == "complex":
        return None
    convert: Callable[[Any], object] = (
        float if kind == "float" else str if kind == "string" else bool if kind == "bool" else int
    )
    elements = tuple(convert(element) for element in array.ravel())
    return elements if array.shape else elements[0]


# --- Types and shapes ----------------------------------------------------------------------


@_function("value", infers=True)
def shape(scope: Scope, value: Value) -> tuple[object, ...] | None:
    dims = scope.environment.shape(value)
    if dims is None:
        return None
    return tuple(Symbol(dim) if isinstance(dim, str) else dim for dim in dims)


@_function("value", infers=True)
def rank(scope: Scope, value: Value) -> int | None:
    dims = scope.environment.shape(value)
    return None if dims is None else len(dims)


@_function("value", infers=True)
def dim(scope: Scope, value: Value, index: int) -> object:
    dims = shape(scope, value)
    return dims[index] if dims is not None and -len(dims) <= index < len(dims) else None


@_function("values", infers=True)
def static(scope: Scope, *values: Value) -> bool | None:
    return every(_is_static(scope, value) for value in values)


def _is_static(scope: Scope, value: Value) -> bool | None:
    dims = scope.environment.shape(value)
    return None if dims is None else all(isinstance(dim, int) for dim in dims)


@_function("values", infers=True)
def fixed(scope: Scope, *values: Value) -> bool:
    """Return True if all dims are numbers in the file, independent of the deployment."""
    return all(is_static(value.shape) for value in values)


@_function("value", infers=True)
def elements(scope: Scope, value: Value) -> int | None:
    return element_count(scope.environment.shape(value))


@_function("value", infers=True)
def dtype(scope: Scope, value: Value) -> str | None:
    known = scope.environment.dtype(value)
    return known.name if known is not None and known.kind != "undefined" else None


@_function("value", infers=True)
def bits(scope: Scope, value: Value) -> float | None:
    known = scope.environment.dtype(value)
    return known.bits or None if known is not None else None


@_function("values", infers=True)
def floating(scope: Scope, *values: Value) -> bool | None:
    return every(_is_kind(scope, value, "float") for value in values)


@_function("values", infers=True)
def integer(scope: Scope, *values: Value) -> bool | None:
    return every(_is_kind(scope, value, "int", "uint") for value in values)


def _is_kind(scope: Scope, value: Value, *kinds: str) -> bool | None:
    known = scope.environment.dtype(value)
    return known.kind in kinds if known is not None and known.kind != "undefined" else None


@_function("value", infers=True)
def nbytes(scope: Scope, value: Value) -> int | None:
    known, count = scope.environment.dtype(value), elements(scope, value)
    return known.nbytes(count) if known is not None and known.bits and count is not None else None


@_function("value", infers=True)
def shape_text(scope: Scope, value: Value) -> str:
    return format_shape(scope.environment.shape(value))


# --- Permutations --------------------------------------------------------------------------


@_function("value", infers=True)
def perm(scope: Scope, value: Value) -> object:
    """Return the permutation of a Transpose, which by default reverses the dims."""
    if value.producer is None or "perm" in value.producer.attributes:
        return attr(scope, value, "perm")
    given = value.producer.input(0)
    count = rank(scope, given) if given is not None else None
    return None if count is None else tuple(reversed(range(count)))


@_function("plain")
def compose(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the permutation equivalent to `first` followed by `second`."""
    if not (_is_permutation(first) and _is_permutation(second) and len(first) == len(second)):
        return None
    return tuple(first[index] for index in second)


@_function("plain")
def is_identity(order: tuple[int, ...]) -> bool:
    return order == tuple(range(len(order)))


def _is_permutation(order: tuple[int, ...]) -> bool:
    return sorted(order) == list(range(len(order)))


# --- The deployment ------------------------------------------------------------------------


@_function("surroundings")
def opset(scope: Scope, domain: str = "") -> int | None:
    return onnx_facts(scope.graph.model).opsets_of(scope.graph).get(domain)


@_function("surroundings")
def precision(scope: Scope) -> str | None:
    return scope.environment.deployment.precision


@_function("surroundings")
def runtime(scope: Scope) -> str | None:
    return scope.environment.deployment.runtime


@_function("surroundings")
def target(scope: Scope) -> str | None:
    return scope.environment.deployment.target_id


@_function("surroundings")
def option(scope: Scope, name: str) -> object:
    value = scope.environment.options[name]
    return tuple(value) if isinstance(value, list) else value


# --- Arithmetic ----------------------------------------------------------------------------


@_function("plain", takes_unknown=True)
def known(thing: object) -> bool:
    return thing is not None and not isinstance(thing, Symbol)


@_function("plain")
def any_(things: Iterable[object]) -> bool | None:
    return some(things)


@_function("plain")
def all_(things: Iterable[object]) -> bool | None:
    return every(things)


@_function("plain")
def len_(things: tuple[object, ...] | str) -> int:
    return len(things)


@_function("plain")
def min_(*things: Any) -> object:
    known = _numbers(things)
    return min(known) if known else None


@_function("plain")
def max_(*things: Any) -> object:
    known = _numbers(things)
    return max(known) if known else None


@_function("plain")
def sum_(things: tuple[Any, ...]) -> object:
    known = _numbers((things,))
    return None if known is None else sum(known)


@_function("plain")
def abs_(number: Any) -> object:
    return None if isinstance(number, Symbol) else abs(number)


@_function("plain")
def close(left: Any, right: Any, tolerance: float = 1e-3) -> bool | None:
    """Return True if equal up to a relative error."""
    if isinstance(left, Symbol) or isinstance(right, Symbol):
        return None
    return math.isclose(left, right, rel_tol=tolerance)


@_function("plain")
def divisible(number: Any, divisor: Any) -> bool | None:
    if isinstance(number, Symbol) or isinstance(divisor, Symbol) or divisor == 0:
        return None
    if isinstance(number, str):  # which `%` would format
        raise TypeError("a string has no divisors")
    return bool(number % divisor == 0)


def _numbers(things: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the arguments, or the items of a single one; None if any is unknown."""
    if len(things) == 1 and isinstance(things[0], tuple):
        things = things[0]
    unknown = any(thing is None or isinstance(thing, Symbol) for thing in things)
    if any(isinstance(thing, tuple) for thing in things):
        raise TypeError("lists have no order")
    return None if unknown else things
