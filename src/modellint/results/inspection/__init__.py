"""Results of `modellint inspect` for a model: plain data for reports and programs.

The JSON form is a contract, described in docs/inspect.md: fields may be added but not changed.
tools/generate_inspect_schema.py generates docs/schemas/inspect.schema.json from these types.
"""

from __future__ import annotations

from modellint.results.inspection.assumed import Assumed, AssumedPart
from modellint.results.inspection.engine import (
    Became,
    Bottleneck,
    Engine,
    EngineLayer,
    LeftFloat,
    MeasuredLayer,
    Zone,
)
from modellint.results.inspection.language import (
    Draft,
    LanguageContext,
    LanguageDevice,
    LanguageModel,
    LanguagePart,
    LayerKind,
    ServedBy,
)
from modellint.results.inspection.memory import (
    AliveTensor,
    Cell,
    Estimate,
    Memory,
    Peak,
    Row,
    Share,
    Together,
    Verdict,
)
from modellint.results.inspection.placement import Crossing, LeftNodes, Placed, PlacedPart, Saving
from modellint.results.inspection.structure import (
    Attention,
    Block,
    Cache,
    Dims,
    Efficiency,
    Identity,
    Layer,
    LayerFacts,
    Port,
    States,
    Task,
    Term,
    Trouble,
    WeightFigures,
)
from modellint.results.inspection.sweep import Candidate, Certainty
from modellint.results.inspection.timing import Roofline, SlowNode, Time, TimedLayer, TimeParts
from modellint.results.inspection.whole import Inspection

__all__ = [
    "AliveTensor",
    "Assumed",
    "AssumedPart",
    "Attention",
    "Became",
    "Block",
    "Bottleneck",
    "Cache",
    "Candidate",
    "Cell",
    "Certainty",
    "Crossing",
    "Dims",
    "Draft",
    "Efficiency",
    "Engine",
    "EngineLayer",
    "Estimate",
    "Identity",
    "Inspection",
    "LanguageContext",
    "LanguageDevice",
    "LanguageModel",
    "LanguagePart",
    "Layer",
    "LayerFacts",
    "LayerKind",
    "LeftFloat",
    "LeftNodes",
    "MeasuredLayer",
    "Memory",
    "Peak",
    "Placed",
    "PlacedPart",
    "Port",
    "Roofline",
    "Row",
    "Saving",
    "ServedBy",
    "Share",
    "SlowNode",
    "States",
    "Task",
    "Term",
    "Time",
    "TimeParts",
    "TimedLayer",
    "Together",
    "Trouble",
    "Verdict",
    "WeightFigures",
    "Zone",
]
