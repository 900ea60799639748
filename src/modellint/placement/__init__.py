"""Placement of nodes on units, by runtimes that may leave some to another unit.

>>> found = placement(model, deployment)
>>> found.partitions             # runs of nodes on one unit, in order
>>> found.boundaries             # values that cross, with their bytes and the reason
>>> found.merges                 # what one change would save
>>> list(links(found))           # each partition with its neighbors
"""

from modellint.placement.analysis import placement
from modellint.placement.flow import Link, links
from modellint.placement.placed import Boundary, Merge, NotTaken, Partition, UnitPlacement

__all__ = [
    "Boundary",
    "Link",
    "Merge",
    "NotTaken",
    "Partition",
    "UnitPlacement",
    "links",
    "placement",
]
