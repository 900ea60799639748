"""Writes what llama.cpp's loader requires of a GGUF file, read off its source code.

    python tools/extract_llama_cpp.py SOURCE RELEASE

SOURCE is a folder with llama.cpp's source code, and RELEASE says which. Only what is required
unconditionally is written: keys and tensors in branches are left out, so that a rule never says
that something is missing which some models do without.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

RESULT = Path(__file__).parents[1] / "src/modellint/formats/gguf/llama.json"
TYPES = {"uint32_t": "u32", "int32_t": "u32", "float": "f32", "bool": "bool", "std::string": "str"}
ENUMS = ("llama_pooling_type",)
SYMBOLS = frozenset(
    """n_embd n_vocab n_ff n_head n_head_kv n_embd_head_k n_embd_head_v n_embd_k_gqa n_embd_v_gqa
    n_embd_gqa n_expert n_ff_exp n_ctx_train""".split()
)
"""Sizes in the shapes of tensors that follow from the metadata of every architecture."""

EXPERT_WIDTHS = (
    ("n_ff_exp", "hparams.n_ff_exp()"),
    ("n_ff_exp", "hparams.n_ff_exp() ? hparams.n_ff_exp() : n_ff / n_expert_used"),
)
"""Definitions of the width of experts that are understood."""

FOLLOWING = {
    "n_embd_head_k_full": ("n_embd_head_k", "n_embd_k_gqa"),
    "n_embd_head_v_full": ("n_embd_head_v", "n_embd_v_gqa", "n_embd_gqa"),
}
"""Symbols that follow from a field."""


def main(source: Path, release: str) -> None:
    code = Code(source)
    result = {
        "source": "https://github.com/ggml-org/llama.cpp",
        "release": release,
        "tokenizers": code.tokenizers(),
        "pre_tokenizers": code.pre_tokenizers(),
        "rope_scalings": code.rope_scalings(),
        "without_rope": code.without_rope(),
        "recurrent": code.listed("llm_arch_is_recurrent"),
        "without_cache": code.without_cache(),
        "keys": code.common_keys(),
        "architectures": {name: code.architecture(name) for name in sorted(code.classes)},
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


class Code:
    """The source code, and what is found in it."""

    def __init__(self, source: Path) -> None:
        self.arch = (source / "src/llama-arch.cpp").read_text()
        self.model = (source / "src/llama-model.cpp").read_text()
        self.vocab = (source / "src/llama-vocab.cpp").read_text()
        self.bodies = "\n".join(
            path.read_text() for path in sorted((source / "src/models").glob("*.cpp"))
        )
        self.fields = _field_types((source / "src/llama-hparams.h").read_text())
        self.keys = dict(re.findall(r"\{ (LLM_KV_\w+),\s+\"([^\"]+)\"", self.arch))
        self.tensors = dict(re.findall(r"\{ (LLM_TENSOR_\w+),\s+\"([^\"]+)\"", self.arch))
        self.keys_of_fields = {
            field: self.keys[key].removeprefix("%s.")
            for key, field in re.findall(
                r"get_key\((LLM_KV_\w+),\s*hparams\.(\w+)[,)]", self.bodies + self.model
            )
            if self.keys.get(key, "").startswith("%s.")
        }
        self.names = dict(re.findall(r"\{ (LLM_ARCH_\w+),\s+\"([^\"(]+)\"", self.arch))
        structs = (source / "src/models/models.h").read_text()
        self.parents = dict(re.findall(r"struct (llama_model_\w+) : public (\w+)", structs))
        mapping = _body(self.model, "static llama_model * llama_model_mapping")
        self.classes = {
            self.names[arch]: made
            for arch, made in re.findall(r"case (LLM_ARCH_\w+):\s+return new (\w+)", mapping)
            if arch in self.names and arch != "LLM_ARCH_CLIP"
        }

    def tokenizers(self) -> list[str]:
        load = _body(self.vocab, "void llama_vocab::impl::load(")
        return sorted(set(re.findall(r'tokenizer_model == "([^"]+)"', load)))

    def pre_tokenizers(self) -> list[str]:
        load = _body(self.vocab, "void llama_vocab::impl::load(")
        return sorted(set(re.findall(r'tokenizer_pre == "([^"]+)"', load)))

    def rope_scalings(self) -> list[str]:
        table = self.model[self.model.index("LLAMA_ROPE_SCALING_TYPES = {") :]
        return re.findall(r'LLAMA_ROPE_SCALING_TYPE_\w+,\s+"(\w+)"', table[: table.index("};")])

    def listed(self, function: str) -> list[str]:
        body = _body(self.arch, f"bool {function}(")
        return self._names_in(body[: body.index("return")])

    def without_rope(self) -> list[str]:
        body = _body(self.model, "llama_rope_type llama_model_rope_type(")
        return self._names_in(body[: body.index("return")])

    def without_cache(self) -> list[str]:
        body = _body(self.model, "llama_memory_i * llama_model::create_memory(")
        return self._names_in(body[: body.index("res = nullptr")])

    def _names_in(self, code: str) -> list[str]:
        found = re.findall(r"case (LLM_ARCH_\w+):", code)
        return sorted(self.names[arch] for arch in found if arch in self.names)

    def common_keys(self) -> dict[str, str]:
        body = _body(self.model, "void llama_model_base::load_hparams(")
        return self._keys_in(body)

    def architecture(self, name: str) -> dict[str, dict[str, object]]:
        keys = self._keys_in(self._method(name, "load_arch_hparams"))
        entry: dict[str, dict[str, object]] = {"keys": dict(keys)}
        tensors = self._method(name, "load_arch_tensors")
        if "continue;" not in tensors and "return;" not in tensors:
            changed = self._changed_symbols(self._method(name, "load_arch_hparams"))
            for condition, tensor, dims in self._tensors_in(tensors, changed):
                known = entry.setdefault(condition, {}).setdefault(tensor, dims)
                if known != dims:  # it depends on more than is understood
                    entry[condition][tensor] = []
        return entry

    def _method(self, name: str, method: str) -> str:
        made = self.classes[name]
        while made != "llama_model_base":
            body = _body(self.bodies, f"void {made}::{method}(")
            if body:
                return body
            made = self.parents[made]
        return ""

    def _keys_in(self, code: str) -> dict[str, str]:
        """Return the type of each key, with ``!`` for a required one, and ``*`` for one that may
        be an array of a value for each layer; ``arr`` is an array of any type."""
        found: dict[str, str] = {}
        depth = 0
        for line in code.splitlines():
            call = re.search(
                r"(?P<before>.*)ml\.(?P<how>get_key|get_key_or_arr|get_arr)\((?P<key>LLM_KV_\w+),"
                r"\s*(?P<into>[\w.]+)(?P<rest>[^;]*)\)",
                line,
            )
            kind = self._kind(call, code) if call else None
            if call and kind and self.keys.get(call["key"], "").startswith("%s."):
                is_optional = re.search(r"\b(false|0)\s*$", call["rest"]) is not None
                is_plain = depth <= 1 and not call["before"].strip() and "||" not in line
                key = self.keys[call["key"]].removeprefix("%s.")
                required = "!" if is_plain and not is_optional else ""
                found[key] = max(found.get(key, ""), kind + required, key=len)
            depth += line.count("{") - line.count("}")
        return dict(sorted(found.items()))

    def _kind(self, call: re.Match[str], code: str) -> str | None:
        if call["how"] == "get_arr":
            return "arr"
        kind = self._type_of(call["into"], code)
        if kind is None or call["how"] == "get_key":
            return kind
        return f"{kind}*" if "n_layer" in call["rest"] else None

    def _type_of(self, into: str, code: str) -> str | None:
        field = into.removeprefix("hparams.")
        if field == into:
            local = re.search(rf"(uint32_t|float|bool|std::string)\s+{re.escape(into)}\b", code)
            return TYPES[local[1]] if local else None
        return self.fields.get(field)

    def _own_symbols(self, code: str) -> dict[str, str]:
        """Return a function's own names of sizes, each with the key that it is read from, or with
        nothing if it is computed."""
        own: dict[str, str] = {}
        for name, value in re.findall(r"const \w+ +(\w+)\s*=\s*([^;]+);", code):
            if (name, value.strip()) not in EXPERT_WIDTHS:
                field = re.fullmatch(r"hparams\.(\w+)", value.strip())
                key = self.keys_of_fields.get(field[1], "") if field else ""
                own[name] = key if own.get(name, key) == key else ""
        return own

    def _changed_symbols(self, code: str) -> dict[str, str]:
        """Return the symbols that an architecture changes after the metadata were read."""
        fields = re.findall(r"hparams\.(\w+)\s*=[^=]", code)
        return {symbol: "" for field in fields for symbol in FOLLOWING.get(field, ())}

    def _tensors_in(
        self, code: str, changed: dict[str, str]
    ) -> Iterator[tuple[str, str, list[str]]]:
        """Iterate over tensors that every model has, or every one with or without experts, with
        their dims if these are simple."""
        depth, in_layers = 0, False
        condition, below = "tensors", 0
        own = self._own_symbols(code) | changed
        for line in code.splitlines():
            if depth == 1 and re.search(r"for \(.*< n_layer; ", line):
                in_layers = True
            if condition != "tensors" and depth + line.count("{") - line.count("}") <= below:
                condition = "tensors"
            if re.search(r"^\s*if \(n_expert == 0\) \{\s*$", line) and depth == 2 and in_layers:
                condition, below = "dense_tensors", depth
            elif re.search(r"^\s*\} else \{\s*$", line) and condition == "dense_tensors":
                condition = "expert_tensors"
            plain = depth <= 1 or (in_layers and depth == 2 + (condition != "tensors"))
            call = re.search(
                r"create_tensor\(tn\((LLM_TENSOR_\w+)(?:,\s+\"(\w+)\")?(?:, \w+)?\),\s+\{([^}]*)\},"
                r"\s*(0|TENSOR_NOT_REQUIRED)\)",
                line,
            )
            if call and plain and "if (" not in line and call[1] in self.tensors:
                name = ".".join(filter(None, (self.tensors[call[1]], call[2])))
                yield condition if call[4] == "0" else "optional", name, _dims(call[3], own)
            fused = re.search(r"create_tensor_qkv\(layer, i, ([^;]+), 0\)", line)
            if fused and plain and "if (" not in line:
                yield condition, "blk.%d.attn_qkv", _dims(fused[1], own)
            depth += line.count("{") - line.count("}")
            if depth <= 1 and "}" in line:
                in_layers = False


def _dims(text: str, own: Mapping[str, str]) -> list[str]:
    """Return the dims, or none if one is more than sums and products of what is known."""
    dims = []
    for dim in text.split(","):
        parts = re.split(r"([+*])", re.sub(r"\s+", "", dim))
        parts = [own.get(part, part) for part in parts]
        if not all(re.fullmatch(r"[+*]|\d+|[a-z_]+(\.[a-z_]+)+", p) or p in SYMBOLS for p in parts):
            return []
        dims.append("".join(parts))
    return dims


def _field_types(code: str) -> dict[str, str]:
    code = re.sub(r"//.*", "", code)
    plain = re.findall(r"^\s+(\w+)\s+(\w+)\s*(?:=[^;]*)?;", code, re.MULTILINE)
    arrays = re.findall(r"std::array<(\w+),[^>]*>\s+(\w+)", code)
    enums = [(name, "u32") for name in re.findall(rf"enum (?:{'|'.join(ENUMS)})\s+(\w+)", code)]
    found = {name: TYPES[kind] for kind, name in (*plain, *arrays) if kind in TYPES}
    return found | dict(enums)


def _body(code: str, start: str) -> str:
    """Return a function, from its name to the brace that closes it."""
    at = code.find(start)
    return code[at : code.index("\n}", at) + 2] if at >= 0 else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
