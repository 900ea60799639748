"""Where each node of a model runs, if a runtime leaves some to another unit, and why.

>>> found = placement(model, deployment)
>>> found.partitions             # runs of nodes on one unit, in order
>>> found.boundaries             # values that cross, with their bytes and the reason
>>> found.merges                 # what one change would save
"""

from modellint.placement.analysis import placement
from modellint.placement.placed import Boundary, Merge, Partition, Placement, Refusal

__all__ = ["Boundary", "Merge", "Partition", "Placement", "Refusal", "placement"]
