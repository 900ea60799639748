"""Core ML models as Apple's own libraries see them.

Of coremltools, only the messages and the library of packages are imported: the rest takes seconds.
"""

from __future__ import annotations

import json
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from modellint.examples import write_files
from modellint.formats import read_model
from modellint.formats.coreml.facts import CoreMlFacts, coreml_facts
from modellint.formats.coreml.features import KINDS as FEATURE_KINDS
from modellint.formats.coreml.network import LAYER_KINDS
from modellint.formats.coreml.notation import encode
from modellint.formats.coreml.reader import KINDS
from modellint.formats.coreml.values import DATA_TYPES
from modellint.rules.registry import load_rules
from modellint.rules.rule import Example
from tests.formats.test_coreml import NETWORK, PROGRAM, packed


@pytest.fixture(scope="session")
def coremltools() -> ModuleType:
    """The package without what it runs when it is imported."""
    spec = find_spec("coremltools")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("coremltools is not installed")
    package = ModuleType("coremltools")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["coremltools"] = package
    return package


@pytest.fixture(scope="session")
def messages(coremltools: ModuleType) -> Any:
    return import_module("coremltools.proto.Model_pb2")


def test_kinds_of_models_have_the_numbers_of_the_schema(messages: Any) -> None:
    fields = messages.Model.DESCRIPTOR.fields
    assert {each.number: each.name for each in fields if each.containing_oneof} == KINDS


def test_kinds_of_layers_have_the_numbers_of_the_schema(messages: Any) -> None:
    layer = import_module("coremltools.proto.NeuralNetwork_pb2").NeuralNetworkLayer
    fields = layer.DESCRIPTOR.fields
    assert {each.number: each.name for each in fields if each.containing_oneof} == LAYER_KINDS


def test_kinds_of_features_have_the_numbers_of_the_schema(messages: Any) -> None:
    feature = import_module("coremltools.proto.FeatureTypes_pb2").FeatureType
    fields = feature.DESCRIPTOR.fields
    names = {e.number: e.name.removesuffix("Type") for e in fields if e.containing_oneof}
    assert names == FEATURE_KINDS


def test_element_types_have_the_numbers_of_the_schema(messages: Any) -> None:
    numbers = dict(import_module("coremltools.proto.MIL_pb2").DataType.items())
    assert set(DATA_TYPES) == set(numbers.values()) - {0}
    assert {name.lower() for name, number in numbers.items() if number} == {
        str(dtype) for dtype in DATA_TYPES.values()
    }


def all_examples() -> list[str]:
    rules = [rule for rule in load_rules(plugins=False).values() if rule.family == "coreml"]
    texts = [
        text.removeprefix("coreml:")
        for rule in rules
        for example in (*rule.examples.invalid, *rule.examples.valid)
        for text in example.files.values()
        if text.startswith("coreml:")
    ]
    return [*dict.fromkeys((*texts, NETWORK, PROGRAM))]


def test_examples_are_parsed_as_protobuf_parses_them(messages: Any, tmp_path: Path) -> None:
    for number, text in enumerate(all_examples()):
        path = tmp_path / f"m{number}.mlmodel"
        path.write_bytes(encode(text))
        spec = messages.Model.FromString(path.read_bytes())
        facts = coreml_facts(read_model(path))
        assert (facts.kind, facts.version) == (spec.WhichOneof("Type"), spec.specificationVersion)
        assert features(facts) == [
            (each.name, each.type.WhichOneof("Type").removesuffix("Type"))
            for each in (*spec.description.input, *spec.description.output)
        ]
        assert sorted(facts.types.values()) == sorted(operations(spec))


def features(facts: CoreMlFacts) -> list[tuple[str, str]]:
    return [(each.name, each.kind) for each in (*facts.inputs, *facts.outputs)]


def operations(spec: Any) -> list[str]:
    """Return the types of operations or layers, or the kind of a model that has none."""
    kind = spec.WhichOneof("Type")
    if kind == "mlProgram":
        (function,) = spec.mlProgram.functions.values()
        (block,) = function.block_specializations.values()
        return [each.type for each in block.operations if each.type != "const"]
    if kind.startswith("neuralNetwork"):
        return [layer.WhichOneof("layer") for layer in getattr(spec, kind).layers]
    return [] if kind.startswith("pipeline") else [kind]


def is_refused(package: Path) -> bool:
    library = import_module("coremltools.libmodelpackage")
    try:
        return library.ModelPackage(str(package)).getRootModel() is None
    except RuntimeError:
        return True


def package_examples(kind: str) -> list[Example]:
    rule = load_rules(plugins=False)["CML008"]
    return list(getattr(rule.examples, kind))


@pytest.mark.parametrize("kind", ["invalid", "valid"])
def test_packages_are_refused_as_the_rule_says(
    kind: str, coremltools: ModuleType, tmp_path: Path
) -> None:
    for number, example in enumerate(package_examples(kind)):
        package = write_files(example, tmp_path / str(number))
        assert is_refused(package) is (kind == "invalid")


def edited(package: Path, **entries: Any) -> None:
    path = package / "Manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_broken_packages_are_refused(coremltools: ModuleType, tmp_path: Path) -> None:
    good = packed(tmp_path / "good.mlpackage", PROGRAM)
    edited(good, fileFormatVersion="1.0.0")
    assert not is_refused(good)
    assert not read_model(good).problems
    changes: tuple[dict[str, Any], ...] = (
        {"rootModelIdentifier": "3"},
        {"itemInfoEntries": {}},
        {"rootModelIdentifier": None},
    )
    for number, entries in enumerate(changes):
        bad = tmp_path / f"{number}.mlpackage"
        shutil.copytree(good, bad)
        edited(bad, **entries)
        assert is_refused(bad)
        assert read_model(bad).problems
