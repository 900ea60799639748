"""HailoRT: what its compiler takes is confidential; that it quantizes is not."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("hailort", "HailoRT", quantizes=True)
