"""Files of Keras: what loading them would run, and what code they need."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.keras import KERAS_HDF5
from modellint.formats.keras.facts import keras_facts

_OPTIMIZER = ("optimizer/", "optimizer_weights/")


def bytecode_in_layer(context: Context) -> Iterator[Hit]:
    """Layers that hold compiled Python, which loading runs."""
    facts = keras_facts(context.model)
    if facts is not None and facts.bytecode:
        layers = list(facts.bytecode)
        yield Hit(None, {"layer": layers[0], "layers": layers}, count=len(layers))


def custom_object(context: Context) -> Iterator[Hit]:
    """Classes and functions that the loading program has to register."""
    facts = keras_facts(context.model)
    if facts is not None and facts.custom:
        names = list(facts.custom)
        yield Hit(None, {"object": names[0], "objects": names}, count=len(names))


def optimizer_state(context: Context) -> Iterator[Hit]:
    """Tensors that only training reads."""
    tensors = context.model.tensors
    size = sum(each.nbytes for each in tensors if each.name.startswith(_OPTIMIZER))
    if size and size >= context.options["min-bytes"]:
        yield Hit(None, {"size": size, "share": size / context.model.weight_bytes})


def model_as_hdf5(context: Context) -> Iterator[Hit]:
    """Models, rather than weights alone, in the format that Keras had first."""
    facts = keras_facts(context.model)
    if facts is not None and facts.layers and context.model.format == KERAS_HDF5.name:
        yield Hit()


def weights_missing(context: Context) -> Iterator[Hit]:
    """Archives that describe layers, and hold no weights for them."""
    facts = keras_facts(context.model)
    if facts is not None and not facts.has_weights:
        yield Hit()
