"""The page for people: what stands on it, and that it fits whatever shows it."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache

import pytest
from rich.cells import cell_len

from modellint.report.inspect import render, write
from modellint.report.options import Options
from modellint.results.inspection import (
    AliveTensor,
    Inspection,
    Layer,
    Port,
    Roofline,
    SlowNode,
    Term,
    Trouble,
)
from tests.inspect.support import deployment, inspect_export
from tests.report.samples import HOSTILE_NAMES

WIDTHS = (50, 80, 100, 200)


@cache
def resnet() -> Inspection:
    return inspect_export("resnet50", deployment("a10", precision="fp16"))


@cache
def devices() -> Inspection:
    return inspect_export("vgg16", *(deployment(name) for name in ("t4", "a10", "hailo-8")))


@cache
def decoder() -> Inspection:
    return inspect_export(
        "llama", deployment("jetson-orin-nano-4gb"), quantization=True, profile=True
    )


def text_of(inspected: Inspection, width: int = 100, *, verbose: bool = False) -> str:
    return render(inspected, Options(color="never", width=width, verbose=verbose))


def as_written(inspected: Inspection, encoding: str, width: int) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    write(inspected, stream, Options(width=width, color="never"))
    return raw.getvalue().decode(encoding)


def field(text: str, label: str) -> str:
    """The line that a label stands before."""
    return next(line for line in text.splitlines() if line.startswith(f"   {label} "))


def test_the_page_says_what_the_model_is() -> None:
    text = text_of(resnet())
    assert "opset 17" in text
    assert field(text, "parameters").endswith("25.6 M (25,557,032)")
    assert "4.09 G (8.2" in field(text, "MACs")
    assert "for batch 1 (assumed)" in field(text, "MACs")
    assert "= 4.09 G × batch\n" in text
    assert "Conv 53 · BatchNormalization 53" in field(text, "ops")
    assert field(text, "blocks").endswith("residual ×16")


def test_the_page_answers_whether_it_fits() -> None:
    text = text_of(resnet())
    assert "── NVIDIA A10 (a10) · tensorrt · fp16 ─" in text
    assert " of 22.5 GiB usable" in field(text, "fits")
    assert "█ weights" in text
    assert "batch " in field(text, "room for")
    assert "would suffice" in field(text, "smallest")
    assert "of activations at" in field(text, "peak")
    assert "≥" in field(text, "at peak")
    assert "expected" in field(text, "time")
    assert "FLOPs per byte" in field(text, "bound by")
    assert "✓ fits, ~ tight, ✗ does not fit" in text


def test_the_largest_batch_that_is_tried_is_not_called_the_limit() -> None:
    inspected = resnet()
    assert inspected.memory is not None
    most = {name: replace(each, largest_batch=1 << 20) for name, each in inspected.memory.items()}
    text = text_of(replace(inspected, memory=most))
    assert field(text, "room for").endswith("batch 1,048,576 and more")


def test_a_decoder_shows_its_cache_attention_and_formula() -> None:
    text = text_of(decoder())
    assert "GQA · 4 layers · 8 query heads on 2" in field(text, "attention")
    assert "per token" in field(text, "kv cache")
    assert "▞ kv cache" in text
    assert "= s15 × s41 × (4.82 M + 2.05 k × s41 + 2.05 k × s32)" in text
    assert "Quantization" in text
    assert "no size known for s15, s41" in text


def test_the_bar_is_in_proportion() -> None:
    inspected = resnet()
    (needs,) = inspected.estimates
    bar = next(line for line in text_of(inspected).splitlines() if "▕" in line)
    inner = bar[bar.index("▕") + 1 : bar.index("▏")]
    assert needs.usable is not None
    filled = len(inner.rstrip("─"))
    assert filled == max(round(len(inner) * needs.total.expected / needs.usable), 1)


def test_what_does_not_fit_shows_where_memory_ends() -> None:
    inspected = inspect_export("vgg16", deployment("jetson-orin-nano-4gb", batch=4096))
    text = text_of(inspected)
    assert "does not fit: " in field(text, "memory")
    assert "× (" in field(text, "memory")
    bar = next(line for line in text.splitlines() if "▕" in line)
    assert "┃" in bar
    assert len(bar) == 100


def test_many_devices_make_a_table_the_smallest_memory_first() -> None:
    text = text_of(devices())
    rows = [line.split()[0] for line in text.splitlines() if " GiB  " in line]
    assert rows == ["hailo-8", "t4", "a10"]
    assert "fits 3 of 3; smallest: hailo-8" in text
    assert " ? " in next(line for line in text.splitlines() if line.startswith("   hailo-8"))
    assert "what fits" not in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("inspected", [resnet, decoder, devices])
def test_no_line_is_wider_than_the_page(inspected: object, width: int) -> None:
    text = text_of(inspected(), width).partition("── optimization profile")[0]  # type: ignore[operator]
    assert max(map(cell_len, text.splitlines())) <= width
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert "\n\n\n" not in text


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
def test_what_the_terminal_cannot_encode_is_spelt(encoding: str) -> None:
    text = as_written(decoder(), encoding, 80)
    assert text.isascii() or encoding != "ascii"
    assert "# weights" in text
    assert ">= " in field(text, "at peak") or encoding == "cp437"
    assert "x s41^2" not in text
    assert "+ fits, ~ tight, x does not fit" in text
    assert max(map(len, text.splitlines())) <= 80


def test_colour_is_never_the_only_sign() -> None:
    colored = render(resnet(), Options(color="always", width=100))
    assert "\x1b[" in colored
    plain = text_of(resnet())
    assert "\x1b" not in plain
    assert "fits" in plain
    assert "\x1b[2m" not in colored
    assert "\x1b[1;33m" not in colored


def test_a_broken_file_is_one_sentence() -> None:
    trouble = Trouble("FIL003", "truncated", "The file ends early.", fatal=True)
    text = text_of(Inspection("m.onnx", "onnx", [trouble]))
    assert text.splitlines()[1:] == ["   unreadable  The file ends early.", ""]


def test_problems_stand_before_the_facts() -> None:
    troubles = [
        Trouble("FIL013", "external-missing", "'w' is missing.", fatal=False),
        Trouble(None, "internal", "modellint failed.", fatal=False),
    ]
    lines = text_of(replace(resnet(), problems=troubles)).splitlines()
    assert lines[1].split() == ["FIL013", "'w'", "is", "missing."]
    assert lines[2].split() == ["internal", "modellint", "failed."]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_do_no_harm(name: str) -> None:
    inspected = resnet()
    (needs,) = inspected.estimates
    assert needs.peak is not None
    assert needs.roofline is not None
    slow = SlowNode(name, name, 1.0, 0.5, "memory")
    hostile = replace(
        inspected,
        path=name or "x",
        inputs=[Port(name, name, [name, 3, None], "sequence"), Port(name, None, None, "tensor")],
        ops={name: 3},
        weight_bytes={name: 5},
        macs_formula=[Term(2, {name: 2}), Term(3, {})],
        sizes={name: 2},
        assumed={name: 2},
        layers=[Layer(name, [2], 1, name, 5, 5, None, None)],
        memory={
            name: replace(
                needs,
                device=name,
                target=name,
                peak=replace(needs.peak, node=name, tensors=[AliveTensor(name, None, [name], 3)]),
                roofline=replace(needs.roofline, slowest=[slow]),
                sequence=name,
                largest_sequence=7,
                weight_bytes={name: needs.weights},
            )
        },
        profile={name: {"min": [1], "opt": [1], "max": [1]}},
        profile_open={},
    )
    text = text_of(hostile)
    assert all(char == "\n" or char.isprintable() for char in text)
    assert "\n::error" not in text
    assert max(map(cell_len, text.partition("── optimization profile")[0].splitlines())) <= 100
    assert render(replace(hostile, profile=None), Options(color="always", width=100))


def test_a_long_list_is_cut_unless_all_is_asked_for() -> None:
    ports = [Port(f"in{n}", "float32", [n], "tensor") for n in range(20)]
    ops = {f"Op{n}": 40 - n for n in range(30)}
    sizes = {f"dim{n}": n for n in range(12)}
    inspected = replace(resnet(), inputs=ports, ops=ops, sizes=sizes, assumed={})
    short, long = text_of(inspected), text_of(inspected, verbose=True)
    assert "and 14 more" in short
    assert "of 16 other ops" in short
    assert "for dim0 0, dim1 1, dim2 2, dim3 3, dim4 4, dim5 5, 6 more" in short
    assert "in19" in long
    assert "Op29 11" in long


def test_ports_alike_share_a_row() -> None:
    cache = [Port(f"past.{n}", "float16", ["batch", 8, "past", 128], "tensor") for n in range(40)]
    two = [Port("a", "int64", ["n + m"], "tensor"), Port("b", "int64", ["n + m"], "tensor")]
    odd = [Port("s", "float32", None, "sequence"), Port("scalar", "bool", [], "tensor")]
    text = text_of(replace(resnet(), inputs=[*two, *cache, *odd]))
    assert "a, b " in field(text, "inputs")
    assert "(n + m)" in field(text, "inputs")
    assert ["past.0", "×40", "float16", "batch×8×past×128"] in [
        x.split() for x in text.splitlines()
    ]
    assert "sequence of float32  any rank" in text
    assert "bool                 scalar" in text


def test_macs_that_cannot_be_counted_are_a_lower_bound() -> None:
    inspected = replace(resnet(), macs=None, known_macs=5_000_000, uncounted=2, macs_formula=None)
    assert "≥ 5.00 M for batch 1 (assumed); MACs of 2 nodes unknown" in text_of(inspected)


def test_unknown_facts_are_left_out() -> None:
    inspected = inspect_export("resnet18")
    text = text_of(inspected)
    assert "── any device · fp32 ─" in text
    assert "plus the runtime's own overhead" in " ".join(text.split())
    for label in ("room for", "smallest", "time", "what fits"):
        assert not any(line.startswith(f"   {label} ") for line in text.splitlines())


def test_a_roofline_tells_what_it_leaves_out() -> None:
    inspected = resnet()
    (needs,) = inspected.estimates
    assert isinstance(needs.roofline, Roofline)
    bound = replace(
        needs.roofline,
        uncounted=3,
        memory_share=0.1,
        bottleneck="compute",
        seconds=2.5,
        per_second=None,
        intensity=None,
    )
    text = text_of(
        replace(inspected, memory={"a10": replace(needs, roofline=bound, unknown_tensors=2)})
    )
    assert "2.5 s per run" in text
    assert "without 3 nodes" in text
    assert "arithmetic for 90% of the time" in text
    assert "without 2 tensors of unknown size" in " ".join(text.split())


def test_profiles_are_ready_to_be_copied() -> None:
    inspected = replace(
        resnet(),
        profile={"images": {"min": [1, 3], "opt": [4, 3], "max": [8, 3]}},
        profile_open={},
    )
    text = text_of(inspected)
    for form in ("trtexec", "Polygraphy", "TensorRT, Python", "ONNX Runtime"):
        assert f"   {form}\n" in text
    assert "--maxShapes=images:8x3" in text
    fixed = text_of(replace(inspected, profile={}))
    assert "No profile needed: all inputs have fixed shapes." in fixed
