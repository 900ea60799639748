"""Models as they are in a git repository: in a commit, in the index, in the working tree."""

from modellint.revisions.compared import Compared, Versions, compared

__all__ = ["Compared", "Versions", "compared"]
