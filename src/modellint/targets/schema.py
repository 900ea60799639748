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
from modellint.base.mistakes import FileMistake
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
    """URL of a page that states the figures of this table."""
    confidence: Confidence
    """Kind of the source: measured on a device, fitted to measurements, the result of a
    calculation, or the vendor's figure."""

    @property
    def origin(self) -> Provenance:
        return Provenance(self.source, self.confidence)

    def figures(self) -> dict[str, Any]:
        """Return what is stated, by the names that a target's fields have."""
        names = self.model_fields_set - _Figures.model_fields.keys()
        return {name: getattr(self, name) for name in names}


class MemoryFigures(_Figures):
    nominal: Bytes
    """Size as sold, for example `24 GiB`."""
    kind: str | None = None
    """Kind of memory, for example `GDDR6`."""
    bandwidth: Bandwidth | None = None
    """Peak rate, for example `600 GB/s`."""
    unified: bool = False
    """True if the system shares it."""


class UsableFigures(_Figures):
    usable: Annotated[Bytes, Field(alias="size")]
    """Memory that an idle device offers, as measured, for example `23028 MiB`."""


class PrecisionFigures(_Figures):
    matrix_precisions: Annotated[tuple[Precision, ...], Field(alias="matrix")] = ()
    """Precisions of the matrix units (tensor cores, systolic arrays)."""
    vector_precisions: Annotated[tuple[Precision, ...], Field(alias="vector")] = ()
    """Precisions of the ordinary arithmetic units."""

    @field_validator("vector_precisions")
    @classmethod
    def _once(cls, vector: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        twice = set(vector) & set(info.data.get("matrix_precisions", ()))
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))} is already listed in matrix")
        return vector


class RateFigures(_Figures):
    fp64: TeraOps | None = None
    """Peak rate of dense products in fp64, in T(FL)OPS."""
    fp32: TeraOps | None = None
    """Peak rate of dense products in fp32, in T(FL)OPS."""
    tf32: TeraOps | None = None
    """Peak rate of dense products in tf32, in T(FL)OPS."""
    bf16: TeraOps | None = None
    """Peak rate of dense products in bf16, in T(FL)OPS."""
    fp16: TeraOps | None = None
    """Peak rate of dense products in fp16, in T(FL)OPS."""
    fp8: TeraOps | None = None
    """Peak rate of dense products in fp8, in T(FL)OPS."""
    int8: TeraOps | None = None
    """Peak rate of dense products in int8, in T(FL)OPS."""
    fp4: TeraOps | None = None
    """Peak rate of dense products in fp4, in T(FL)OPS."""
    int4: TeraOps | None = None
    """Peak rate of dense products in int4, in T(FL)OPS."""

    @property
    def rates(self) -> dict[Precision, float]:
        """Return rates in operations per second; files use T(FL)OPS."""
        tera: dict[Precision, float | None] = {p: getattr(self, p) for p in get_args(Precision)}
        return {precision: rate * 1e12 for precision, rate in tera.items() if rate is not None}


class DlaFigures(RateFigures):
    cores: Annotated[int, Field(gt=0)]
    """Number of deep-learning accelerators next to the GPU."""


class ChipFigures(_Figures):
    units: Annotated[int, Field(gt=0)] | None = None
    """Number of multiprocessors, or of what the vendor calls cores."""
    clock: Hertz | None = None
    """Boost clock, for example `1695 MHz`."""
    l2_bytes: Annotated[Bytes | None, Field(alias="l2")] = None
    """Size of the last cache before memory, for example `6 MiB`."""
    tdp_watts: Annotated[Watts | None, Field(alias="tdp")] = None
    """Stated power, for example `150 W`."""


class InterconnectFigures(_Figures):
    kind: str
    """Name of the link to other devices, for example `NVLink 4`."""
    bandwidth: Bandwidth | None = None
    """Peak rate in both directions together, for example `900 GB/s`."""


class OverheadFigures(_Figures):
    low: Bytes
    """Least that the runtime takes before the first weight is loaded."""
    high: Bytes
    """Most that the runtime takes before the first weight is loaded."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:  # noqa: N804
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class NewestFigures(_Figures):
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
    """Newest version of the runtime that runs on the device."""


class LatencyFigures(_Figures):
    error: Annotated[float, Field(ge=1, le=100)]
    """Factor that most measurements are within."""
    rows: Annotated[int, Field(gt=0)]
    """Number of measurements that the coefficients are fitted to."""
    coefficients: dict[Coefficient, Annotated[float, Field(gt=0, le=1e18)]]
    """Coefficients of the estimate of time."""


class PriceFigures(_Table):
    """A price, which requires its offer, its source and its day."""

    per_hour: Annotated[float, Field(gt=0)]
    """Cost of an hour."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """Three letters, for example `USD`."""
    offer: Annotated[str, Field(min_length=1)]
    """Provider and place of the offer."""
    date: datetime.date
    """Day on which the price was read."""
    source: Annotated[str, Field(pattern=r"^https?://\S+$")]
    """URL of a page that states the price."""

    @property
    def price(self) -> Price:
        return Price(self.per_hour, self.currency, self.offer, self.date.isoformat(), self.source)


class TargetFile(_Table):
    """A TOML file in `hardware_targets/`."""

    name: Annotated[str, Field(min_length=1)]
    """Full name, for example `NVIDIA A10`."""
    vendor: Slug
    """Lower-case name of the vendor, which is a group as well."""
    architecture: Slug | None = None
    """Lower-case name of the architecture, for example `ampere`."""
    compute_capability: Capability | None = None
    """CUDA compute capability, for example `8.6`."""
    released: Annotated[int, Field(ge=2010, le=2035)] | None = None
    """Year of release."""
    default_runtime: Annotated[Slug, Field(alias="runtime")]
    """Runtime to assume if none is named."""
    aliases: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Other names of the device."""
    groups: tuple[Slug, ...] = ()
    """Groups of devices that it is in."""
    notes: Annotated[str, AfterValidator(str.strip)] = ""
    """Remarks that `modellint targets` shows."""
    memory: MemoryFigures
    """Memory of the device."""
    usable: UsableFigures | None = None
    """Memory that an idle device offers."""
    precisions: PrecisionFigures | None = None
    """Precisions that the hardware computes in; others are emulated."""
    peak: RateFigures | None = None
    """Dense peak rates by precision."""
    chip: ChipFigures | None = None
    """Units, clock, cache and power."""
    dla: DlaFigures | None = None
    """Deep-learning accelerators next to the GPU, with their own rates."""
    interconnect: InterconnectFigures | None = None
    """Link to other devices."""
    price: PriceFigures | None = None
    """Cost of an hour."""
    overhead: dict[Slug, OverheadFigures] = Field(default_factory=dict)
    """Memory that runtimes take before the first weight is loaded."""
    newest: dict[Slug, NewestFigures] = Field(default_factory=dict)
    """Newest versions of runtimes that run there, if the device limits them."""
    latency: dict[Slug, LatencyFigures] = Field(default_factory=dict)
    """Coefficients of the estimate of time, by runtime."""
    exceptions: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Rules of thumb that do not hold here, and why."""

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


def mistakes(error: ValidationError) -> list[FileMistake]:
    """Describe all errors with their keys, and suggestions for unknown keys."""
    return [FileMistake(_describe(each["loc"], each), each["loc"]) for each in error.errors()]


def _describe(place: tuple[int | str, ...], detail: Any) -> str:
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
