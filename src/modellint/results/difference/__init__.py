"""Results of `modellint diff` for two models: plain data for reports and programs.

The JSON form is a contract, described in docs/diff.md: fields may be added but not changed.
tools/generate_diff_schema.py generates docs/schemas/diff.schema.json from these types.
"""

from __future__ import annotations

from modellint.results.difference.figures import (
    BudgetCheck,
    DeviceDifference,
    FigureChange,
    MetricChange,
)
from modellint.results.difference.findings import FindingChange, FindingDifference
from modellint.results.difference.interface import SAME_DIALECT, InterfaceChange, ModelSide
from modellint.results.difference.language import (
    LanguageDifference,
    PartDifference,
    Statement,
    TensorDifference,
)
from modellint.results.difference.nodes import (
    AttributeChange,
    CountChange,
    InputChange,
    NodeChange,
    NodeDifference,
    NodePlace,
    Plain,
    Replacement,
    Rewriting,
)
from modellint.results.difference.overview import Overview, OverviewRow, TradeOffs, VariantFigures
from modellint.results.difference.precision import (
    LayerPrecision,
    PrecisionDifference,
    PrecisionShare,
    QuantizationImpact,
    ScorePart,
    SpeedBound,
)
from modellint.results.difference.run import (
    NOT_FINITE,
    DeadChannels,
    LayerDeviation,
    OutputDeviation,
    RunDifference,
    Saturation,
)
from modellint.results.difference.weights import StoredWeight, WeightChange, WeightDifference
from modellint.results.difference.whole import Difference

__all__ = [
    "NOT_FINITE",
    "SAME_DIALECT",
    "AttributeChange",
    "BudgetCheck",
    "CountChange",
    "DeadChannels",
    "DeviceDifference",
    "Difference",
    "FigureChange",
    "FindingChange",
    "FindingDifference",
    "InputChange",
    "InterfaceChange",
    "LanguageDifference",
    "LayerDeviation",
    "LayerPrecision",
    "MetricChange",
    "ModelSide",
    "NodeChange",
    "NodeDifference",
    "NodePlace",
    "OutputDeviation",
    "Overview",
    "OverviewRow",
    "PartDifference",
    "Plain",
    "PrecisionDifference",
    "PrecisionShare",
    "QuantizationImpact",
    "Replacement",
    "Rewriting",
    "RunDifference",
    "Saturation",
    "ScorePart",
    "SpeedBound",
    "Statement",
    "StoredWeight",
    "TensorDifference",
    "TradeOffs",
    "VariantFigures",
    "WeightChange",
    "WeightDifference",
]
