"""Lightweight, read-only view of a model file, independent of the rest of modellint."""

from modellint.model.architecture import Architecture, LayerShape, Positions
from modellint.model.dims import (
    HIGHEST_RANK,
    MOST,
    Dim,
    Shape,
    bind,
    element_count,
    format_shape,
    is_static,
    product,
)
from modellint.model.dtypes import DTYPES, UNDEFINED, DType, dtype_of
from modellint.model.graph import (
    Attribute,
    AttributeRef,
    Graph,
    Node,
    Use,
    Value,
    small_constant,
    small_integers,
    small_number,
)
from modellint.model.model import Capability, Contradiction, Inference, InferTypes, Model, Problem
from modellint.model.tensor import Region, Tensor

__all__ = [
    "DTYPES",
    "HIGHEST_RANK",
    "MOST",
    "UNDEFINED",
    "Architecture",
    "Attribute",
    "AttributeRef",
    "Capability",
    "Contradiction",
    "DType",
    "Dim",
    "Graph",
    "InferTypes",
    "Inference",
    "LayerShape",
    "Model",
    "Node",
    "Positions",
    "Problem",
    "Region",
    "Shape",
    "Tensor",
    "Use",
    "Value",
    "bind",
    "dtype_of",
    "element_count",
    "format_shape",
    "is_static",
    "product",
    "small_constant",
    "small_integers",
    "small_number",
]
