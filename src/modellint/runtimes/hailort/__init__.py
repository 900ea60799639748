"""HailoRT, whose compiler's supported operators are confidential; it is known to quantize."""

from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime("hailort", "HailoRT", quantizes=True)
