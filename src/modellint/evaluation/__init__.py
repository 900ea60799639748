"""Results of evaluations that other tools wrote, and trade-offs between variants of a model."""

from modellint.evaluation.results import Evaluation, Metric, read_evaluation

__all__ = ["Evaluation", "Metric", "read_evaluation"]
