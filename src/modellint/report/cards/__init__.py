"""Model cards: facts from the file, and marked gaps for what only a person knows."""

from modellint.report.cards.card import Card
from modellint.report.cards.huggingface import huggingface_card
from modellint.report.cards.plain import plain_card
from modellint.report.cards.toolkit import toolkit_card

__all__ = ["Card", "huggingface_card", "plain_card", "toolkit_card"]
