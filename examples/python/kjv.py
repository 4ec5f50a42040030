"""The model in models/kjv: its weights, its text, and its forward pass in numpy.

../restore/kjv.rs is the same forward pass in Rust, models/README.md describes the model.
"""

import json
import pathlib

import numpy as np
from tokenizers import Tokenizer

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "models/kjv"
VOCAB, MASK, PAD = 4096, 0, 1  # PAD is a token that the model never saw; no position sees it
WIDTH, HEADS, LAYERS, POSITIONS = 192, 6, 4, 512


def weights():
    """All tensors of model.safetensors in float32, by name."""
    data = (FOLDER / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, about in json.loads(data[8:begin]).items():
        if name != "__metadata__":
            assert about["dtype"] == "F16", about
            first, end = about["data_offsets"]
            halves = np.frombuffer(data[begin + first:begin + end], "<f2")
            tensors[name.removeprefix("model.")] = halves.astype("f4").reshape(about["shape"])
    return tensors


def rotations():
    """Cosines and sines of the angles of rotary positions, a row for each position."""
    half = WIDTH // HEADS // 2
    angles = np.arange(POSITIONS)[:, None] * 10_000.0 ** (-np.arange(half) / half)
    return np.cos(angles).astype("f4"), np.sin(angles).astype("f4")


class Kjv:
    """The model. Calling it gives the logits of all positions of sequences of tokens."""

    def __init__(self):
        self.weights = weights()
        self.cos, self.sin = rotations()

    def __call__(self, tokens):
        w, (batch, length) = self.weights, tokens.shape
        cos, sin = self.cos[:length], self.sin[:length]
        hidden = np.where(tokens == PAD, np.float32(-1e9), np.float32(0))[:, None, None, :]

        def heads(x):
            return x.reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3)

        def turned(x):
            a, b = np.split(x, 2, axis=-1)
            return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

        x = w["embed_tokens.weight"][tokens]
        for layer in range(LAYERS):
            def linear(name, x):
                return x @ w[f"layers.{layer}.{name}_proj.weight"].T

            h = norm(x, w[f"layers.{layer}.input_layernorm.weight"])
            q, k, v = (heads(linear(f"self_attn.{name}", h)) for name in "qkv")
            scores = turned(q) @ turned(k).swapaxes(-1, -2) / np.float32(np.sqrt(WIDTH // HEADS))
            shares = np.exp(scores + hidden - (scores + hidden).max(axis=-1, keepdims=True))
            mixed = shares / shares.sum(axis=-1, keepdims=True) @ v
            x = x + linear("self_attn.o", mixed.transpose(0, 2, 1, 3).reshape(x.shape))

            h = norm(x, w[f"layers.{layer}.post_attention_layernorm.weight"])
            gate = linear("mlp.gate", h)
            x = x + linear("mlp.down", linear("mlp.up", h) * gate / (1 + np.exp(-gate)))
        return norm(x, w["norm.weight"]) @ w["embed_tokens.weight"].T


def norm(x, weight):
    """Every row divided by its root mean square, times `weight`."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-5)) * weight


class Text:
    """Texts and tokens. In a text every _ is one masked token, which takes the space before it
    along. Around the tokens stand line breaks, as around the verses that the model was trained on."""

    def __init__(self):
        self.tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))

    def encode(self, text):
        def ids(piece):
            return self.tokenizer.encode(piece, add_special_tokens=False).ids

        *pieces, last = text.split("_")
        before = [ids(piece.removesuffix(" ")) + [MASK] for piece in pieces]
        return np.array(ids("\n") + sum(before, []) + ids(last) + ids("\n"), "i4")

    def decode(self, tokens, new=()):
        """The text of a sequence; a mask is ___, and positions in `new` are in green."""
        words = []
        for at, token in enumerate(tokens):
            known = token not in (MASK, PAD)
            word = self.tokenizer.decode([token], skip_special_tokens=False) if known else ""
            word = " ___" if token == MASK else word.strip("\n")
            words.append(f"\033[32m{word}\033[0m" if at in new else word)
        return "".join(words)
