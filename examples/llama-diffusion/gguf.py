#!/usr/bin/env python3
"""Writes a model file for llama.cpp, of its architecture `llada`.

    gguf.py kjv FOLDER OUT     the trained model in models/kjv
    gguf.py random VOCAB OUT   random weights with a vocabulary of VOCAB: for timings alone
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

ALIGNMENT = 32
NORMAL, CONTROL = 1, 3  # types of tokens


class U32(int):
    """An integer that the format stores as 32 bits without a sign; a plain one has a sign."""


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def typed(value):
    """The format's number for the type of a value, and its bytes."""
    match value:
        case bool():
            return 7, struct.pack("<?", value)
        case U32():
            return 4, struct.pack("<I", value)
        case int():
            return 5, struct.pack("<i", value)
        case float():
            return 6, struct.pack("<f", value)
        case str():
            return 8, string(value)
        case list():
            kind = typed(value[0])[0]
            items = b"".join(typed(item)[1] for item in value)
            return 9, struct.pack("<IQ", kind, len(value)) + items
    raise TypeError(f"no type for {value!r}")


def write(path, metadata, tensors):
    """GGUF version 3: metadata, names and shapes of tensors, then their data."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        kind, data = typed(value)
        head += string(key) + struct.pack("<I", kind) + data
    offset = 0
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]  # the format names the fastest dimension first
        kind = {np.dtype("f4"): 0, np.dtype("f2"): 1}[tensor.dtype]
        head += string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", kind, offset)
        offset += tensor.nbytes + -tensor.nbytes % ALIGNMENT
    unfinished = Path(f"{path}.part")
    with open(unfinished, "wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for tensor in tensors.values():
            tensor.tofile(file)
            file.write(bytes(-tensor.nbytes % ALIGNMENT))
    unfinished.rename(path)


def llada(sizes, tokens, types, merges, end, mask):
    """Metadata of a network and its tokenizer, a byte-level BPE."""
    width, heads = sizes["hidden_size"], sizes["num_attention_heads"]
    return {
        "general.architecture": "llada",
        "general.file_type": U32(1),
        "llada.context_length": U32(sizes["max_position_embeddings"]),
        "llada.embedding_length": U32(width),
        "llada.block_count": U32(sizes["num_hidden_layers"]),
        "llada.feed_forward_length": U32(sizes["intermediate_size"]),
        "llada.attention.head_count": U32(heads),
        "llada.attention.head_count_kv": U32(heads),
        "llada.attention.layer_norm_rms_epsilon": sizes["rms_norm_eps"],
        "llada.attention.causal": False,
        "llada.rope.dimension_count": U32(width // heads),
        "llada.rope.freq_base": sizes["rope_theta"],
        "llada.vocab_size": U32(len(tokens)),
        "diffusion.shift_logits": False,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": U32(end),
        "tokenizer.ggml.eos_token_id": U32(end),
        "tokenizer.ggml.mask_token_id": U32(mask),
        "tokenizer.ggml.add_bos_token": False,
    }


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F16", f"{name} is {entry['dtype']}"
        begin, end = (8 + length + at for at in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], "f2").reshape(entry["shape"])
    return tensors


def kjv(folder):
    sizes = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocab = tokenizer["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    types = [NORMAL] * len(tokens)
    for token in tokenizer["added_tokens"]:
        types[token["id"]] = CONTROL
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    metadata = llada(sizes, tokens, types, merges, end=1, mask=sizes["mask_token_id"])

    weights = read_safetensors(folder / "model.safetensors")
    heads, width = sizes["num_attention_heads"], sizes["hidden_size"]

    def interleaved(matrix):
        """Here the halves of a head are the coordinates of the rotations, in llama.cpp neighbours
        are."""
        split = matrix.reshape(heads, 2, width // heads // 2, width)
        return split.swapaxes(1, 2).reshape(width, width)

    def norm(name):
        return weights[name].astype("f4")

    tensors = {
        "token_embd.weight": weights["model.embed_tokens.weight"],  # the output layer as well
        "output_norm.weight": norm("model.norm.weight"),
    }
    for layer in range(sizes["num_hidden_layers"]):
        ours, theirs = f"model.layers.{layer}.", f"blk.{layer}."
        tensors[f"{theirs}attn_norm.weight"] = norm(f"{ours}input_layernorm.weight")
        tensors[f"{theirs}ffn_norm.weight"] = norm(f"{ours}post_attention_layernorm.weight")
        for their_name, our_name in {
            "attn_q": "self_attn.q_proj",
            "attn_k": "self_attn.k_proj",
            "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj",
            "ffn_gate": "mlp.gate_proj",
            "ffn_up": "mlp.up_proj",
            "ffn_down": "mlp.down_proj",
        }.items():
            matrix = weights[f"{ours}{our_name}.weight"]
            if their_name in ("attn_q", "attn_k"):
                matrix = interleaved(matrix)
            tensors[f"{theirs}{their_name}.weight"] = np.ascontiguousarray(matrix)
    return metadata, tensors


def byte_tokens():
    """How byte-level BPE writes the 256 bytes: printable ones as themselves, the others as the
    characters from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable}
    names |= {byte: chr(256 + k) for k, byte in enumerate(others)}
    return [names[byte] for byte in range(256)]


def random(vocab):
    """4 layers of width 256. The logits are nearly normal, with a standard deviation of 2.5."""
    width, inner, layers, heads = 256, 768, 4, 4
    sizes = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
    }
    tokens = byte_tokens() + [f"tok{k}" for k in range(vocab - 258)] + ["<|end|>", "<|mask|>"]
    types = [NORMAL] * (vocab - 2) + [CONTROL] * 2
    metadata = llada(sizes, tokens, types, ["t o", "to k"], end=vocab - 2, mask=vocab - 1)

    numbers = np.random.default_rng(0)

    def normal(rows, columns, deviation):
        matrix = numbers.standard_normal((rows, columns), dtype="f4")
        return (matrix * np.float32(deviation)).astype("f2")

    ones = np.ones(width, "f4")
    tensors = {
        "token_embd.weight": normal(vocab, width, 1.0),
        "output_norm.weight": ones,
        "output.weight": normal(vocab, width, 2.5 / width**0.5),
    }
    for layer in range(layers):
        name = f"blk.{layer}."
        tensors |= {f"{name}attn_norm.weight": ones, f"{name}ffn_norm.weight": ones}
        for matrix, shape in {
            "attn_q": (width, width),
            "attn_k": (width, width),
            "attn_v": (width, width),
            "attn_output": (width, width),
            "ffn_gate": (inner, width),
            "ffn_up": (inner, width),
            "ffn_down": (width, inner),
        }.items():
            tensors[f"{name}{matrix}.weight"] = normal(*shape, shape[1] ** -0.5)
    return metadata, tensors


def main():
    match sys.argv[1:]:
        case ["kjv", folder, out]:
            metadata, tensors = kjv(Path(folder))
        case ["random", vocab, out] if int(vocab) > 258:
            metadata, tensors = random(int(vocab))
        case _:
            sys.exit(__doc__)
    write(out, metadata, tensors)


if __name__ == "__main__":
    main()
