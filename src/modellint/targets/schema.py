"""Schema of target files. Imports pydantic, so import this only to read a file."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from modellint.base.errors import UsageError
from modellint.base.suggest import did_you_mean
from modellint.base.units import parse_bandwidth, parse_bytes, parse_hertz, parse_watts
from modellint.targets.target import (
    Calibration,
    Coefficient,
    Confidence,
    DeviceMemory,
    Dla,
    Interconnect,
    Newest,
    Overhead,
    Precision,
    Price,
    Provenance,
    Target,
)

T = TypeVar("T")


def _written(parse: Callable[[str], T]) -> BeforeValidator:
    """Parse a quantity with its unit; reject bare numbers, whose unit would be a guess."""

    def validate(value: Any) -> T:
        if not isinstance(value, str):
            raise ValueError(f"write {value!r} as a string with a unit")
        try:
            return parse(value)
        except UsageError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(validate)


Bytes = Annotated[int, _written(parse_bytes), Field(gt=0)]
Bandwidth = Annotated[float, _written(parse_bandwidth), Field(gt=0)]
Watts = Annotated[float, _written(parse_watts), Field(gt=0)]
Hertz = Annotated[float, _written(parse_hertz), Field(gt=0)]
TeraOps = Annotated[float, Field(gt=0)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


def _pair(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


Capability = Annotated[str, Field(pattern=r"^\d+\.\d$"), AfterValidator(_pair)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Figures(_Table):
    """A group of figures, which requires a source and a confidence."""

    source: Annotated[str, Field(pattern=r"^https?://\S+$")]
    confidence: Confidence

    @property
    def origin(self) -> Provenance:
        return Provenance(self.source, self.confidence)

    def figures(self) -> dict[str, Any]:
        """Return what is stated, by the names that a target's fields have."""
        names = self.model_fields_set - _Figures.model_fields.keys()
        return {name: getattr(self, name) for name in names}


class MemoryFigures(_Figures):
    nominal: Bytes
    kind: str | None = None
    bandwidth: Bandwidth | None = None
    unified: bool = False


class UsableFigures(_Figures):
    usable: Annotated[Bytes, Field(alias="size")]


class PrecisionFigures(_Figures):
    matrix_precisions: Annotated[tuple[Precision, ...], Field(alias="matrix")] = ()
    vector_precisions: Annotated[tuple[Precision, ...], Field(alias="vector")] = ()

    @field_validator("vector_precisions")
    @classmethod
    def _once(cls, vector: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        twice = set(vector) & set(info.data.get("matrix_precisions", ()))
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))} is already listed in matrix")
        return vector


class RateFigures(_Figures):
    fp64: TeraOps | None = None
    fp32: TeraOps | None = None
    tf32: TeraOps | None = None
    bf16: TeraOps | None = None
    fp16: TeraOps | None = None
    fp8: TeraOps | None = None
    int8: TeraOps | None = None
    fp4: TeraOps | None = None
    int4: TeraOps | None = None

    @property
    def rates(self) -> dict[Precision, float]:
        """Return rates in operations per second; files use T(FL)OPS."""
        tera: dict[Precision, float | None] = {p: getattr(self, p) for p in get_args(Precision)}
        return {precision: rate * 1e12 for precision, rate in tera.items() if rate is not None}


class DlaFigures(RateFigures):
    cores: Annotated[int, Field(gt=0)]


class ChipFigures(_Figures):
    units: Annotated[int, Field(gt=0)] | None = None
    clock: Hertz | None = None
    l2_bytes: Annotated[Bytes | None, Field(alias="l2")] = None
    tdp_watts: Annotated[Watts | None, Field(alias="tdp")] = None


class InterconnectFigures(_Figures):
    kind: str
    bandwidth: Bandwidth | None = None


class OverheadFigures(_Figures):
    low: Bytes
    high: Bytes

    @model_validator(mode="after")
    def _ordered(self) -> Self:  # noqa: N804
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class NewestFigures(_Figures):
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]


class LatencyFigures(_Figures):
    error: Annotated[float, Field(ge=1, le=100)]
    rows: Annotated[int, Field(gt=0)]
    coefficients: dict[Coefficient, Annotated[float, Field(gt=0, le=1e18)]]


class PriceFigures(_Table):
    """A price, which requires its offer, its source and its day."""

    per_hour: Annotated[float, Field(gt=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    offer: Annotated[str, Field(min_length=1)]
    date: datetime.date
    source: Annotated[str, Field(pattern=r"^https?://\S+$")]

    @property
    def price(self) -> Price:
        return Price(self.per_hour, self.currency, self.offer, self.date.isoformat(), self.source)


class TargetFile(_Table):
    """A TOML file in `hardware_targets/`."""

    name: Annotated[str, Field(min_length=1)]
    vendor: Slug
    architecture: Slug | None = None
    compute_capability: Capability | None = None
    released: Annotated[int, Field(ge=2010, le=2035)] | None = None
    default_runtime: Annotated[Slug, Field(alias="runtime")]
    aliases: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    groups: tuple[Slug, ...] = ()
    notes: Annotated[str, AfterValidator(str.strip)] = ""
    memory: MemoryFigures
    usable: UsableFigures | None = None
    precisions: PrecisionFigures | None = None
    peak: RateFigures | None = None
    chip: ChipFigures | None = None
    dla: DlaFigures | None = None
    interconnect: InterconnectFigures | None = None
    price: PriceFigures | None = None
    overhead: dict[Slug, OverheadFigures] = Field(default_factory=dict)
    newest: dict[Slug, NewestFigures] = Field(default_factory=dict)
    latency: dict[Slug, LatencyFigures] = Field(default_factory=dict)
    exceptions: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Self:  # noqa: N804
        if self.usable and self.usable.usable > self.memory.nominal:
            raise ValueError("usable.size is above memory.nominal")
        listed = self.precisions
        native = listed.matrix_precisions + listed.vector_precisions if listed else ()
        strange = [p for p in (self.peak.rates if self.peak else ()) if p not in native]
        if strange:
            raise ValueError(f"peak has {', '.join(strange)}, which [precisions] does not list")
        return self

    def target(self, target_id: str) -> Target:
        groups = {name: group for name in GROUPS if (group := getattr(self, name)) is not None}
        chip, interconnect = _figures(self.chip), _figures(self.interconnect)
        memory = {
            "usable": self.memory.nominal,
            **_figures(self.memory),
            **_figures(self.usable),
        }
        return Target(
            id=target_id,
            memory=DeviceMemory(**memory),
            rates=self.peak.rates if self.peak else {},
            dla=Dla(self.dla.cores, self.dla.rates) if self.dla else None,
            interconnect=Interconnect(**interconnect) if interconnect else None,
            price=self.price.price if self.price else None,
            overheads={
                runtime: Overhead(**found.figures(), origin=found.origin)
                for runtime, found in self.overhead.items()
            },
            newest={
                runtime: Newest(found.version, found.origin)
                for runtime, found in self.newest.items()
            },
            calibrations={
                runtime: Calibration(
                    {str(name): share for name, share in found.coefficients.items()},
                    found.error,
                    found.rows,
                    found.origin,
                )
                for runtime, found in self.latency.items()
            },
            origins={name: group.origin for name, group in groups.items()},
            **{name: getattr(self, name) for name in _SAME},
            **_figures(self.precisions),
            **chip,
        )


GROUPS: dict[str, type[_Figures]] = {
    "memory": MemoryFigures,
    "usable": UsableFigures,
    "precisions": PrecisionFigures,
    "peak": RateFigures,
    "chip": ChipFigures,
    "dla": DlaFigures,
    "interconnect": InterconnectFigures,
}
"""Tables of a file that state figures, in the order in which origins are listed."""
BY_RUNTIME: dict[str, type[_Figures]] = {
    "overhead": OverheadFigures,
    "newest": NewestFigures,
    "latency": LatencyFigures,
}
"""Tables of a file that state figures for each runtime."""
_SAME = TargetFile.model_fields.keys() & {
    item.name for item in fields(Target)
} - GROUPS.keys() - BY_RUNTIME.keys() - {"price"}
"""Fields of a target as stated in its file."""


def _figures(group: _Figures | None) -> dict[str, Any]:
    return group.figures() if group is not None else {}


def describe(error: ValidationError) -> str:
    """Describe all errors with their keys, and suggestions for unknown keys."""
    return "; ".join(_describe_one(detail["loc"], detail) for detail in error.errors())


def _describe_one(place: tuple[int | str, ...], detail: Any) -> str:
    where = ".".join(map(str, place))
    if detail["type"] != "extra_forbidden":
        message = detail["msg"].removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    guess = did_you_mean(str(place[-1]), _keys_beside(place))
    return f"{where}: unknown key" + (f"; {guess}" if guess else "")


def _keys_beside(place: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[_Table]] = {**GROUPS, **BY_RUNTIME, "price": PriceFigures}
    table = TargetFile if len(place) == 1 else tables.get(str(place[0]), TargetFile)
    return [field.alias or name for name, field in table.model_fields.items()]
