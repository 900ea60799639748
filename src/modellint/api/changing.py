"""`modellint.fix`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.api.given import GivenSettings, overriding
from modellint.api.sources import ModelSource, file_of
from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from modellint.results.fixed import FileFixes


@dataclass(frozen=True, slots=True)
class Fixed:
    """The fixes of a model, and the result."""

    fixes: FileFixes
    """All that reports of the command line are made from."""
    content: bytes | None
    """The file's bytes if it was not written to `to`; None if nothing could be fixed at all."""

    @property
    def problem(self) -> str:
        """Reason why nothing could be fixed or written; empty if there is none."""
        return self.fixes.problem

    @property
    def counts(self) -> dict[str, int]:
        """Number of fixes by rule."""
        return self.fixes.counts

    def _repr_html_(self) -> str:
        from modellint.base.markup import table

        found = self.fixes
        title = f"{found.path}: {found.problem or f'{len(found.fixed)} fixed'}"
        rows = [
            *(("fixed", each.code, each.place, each.says) for each in found.fixed),
            *(
                ("not proved", each.entry.code, each.entry.place, each.detail)
                for each in found.refused
            ),
            *(("offered", each.code, each.place, each.says) for each in found.offered),
        ]
        return table(title, ("", "rule", "place", "fix"), rows)


def fix(
    model: ModelSource,
    *,
    to: str | os.PathLike[str] | None = None,
    force: bool = False,
    data: str | os.PathLike[str] | None = None,
    name: str | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Fixed:
    """Fix a model's findings, with proof. The model itself stays as it is.

    The result is written to `to`, over another file only if `force`, or returned as bytes. `data`
    names inputs that the proof uses, besides random ones.
    """
    from modellint.fixing.files import Destination
    from modellint.formats import read_model
    from modellint.lint.fixing import fix_one

    line = overriding(settings, Path(config) if config else None, isolated)
    inputs = Path(data) if data is not None else None
    with file_of(model, name) as (path, shown):
        if to is not None:
            destination = Destination(file=Path(to), force=force, always=True)
            return Fixed(fix_one(path, line, destination, inputs, shown), None)
        if read_model(path).external_files:
            raise UsageError(
                f"{path} has external data, which must move with it; pass a file as `to`"
            )
        with temporary_folder() as folder:
            result = folder / path.name
            destination = Destination(file=result, always=True)
            fixes = fix_one(path, line, destination, inputs, shown)
            return Fixed(replace(fixes, written=""), result.read_bytes() if fixes.written else None)
