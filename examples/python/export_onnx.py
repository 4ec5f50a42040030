"""Writes the model in models/kjv as target/kjv.onnx, from its weights alone, and compares what
onnxruntime computes from it with the forward pass of kjv.py.

The graph computes the output layer only for the rows that it is asked for:

  tokens  int32 [sequences, length]      PAD stands behind shorter sequences
  rows    int32 [rows]                   positions, counted over all sequences
  logits  float32 [rows, 4096]
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import kjv

PATH = kjv.FOLDER.parents[1] / "target/kjv.onnx"


class Graph:
    """Nodes and constants; values are known by their names."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, array, type="f4"):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, type), name))
        return name

    def __getattr__(self, operator):
        """graph.MatMul(a, b) adds a node, and is the name of its output, or of all `outputs`."""
        def add(*inputs, outputs=1, **attributes):
            names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
            self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
            return names[0] if outputs == 1 else names
        return add


def graph():
    g, w = Graph(), kjv.weights()
    head = kjv.WIDTH // kjv.HEADS
    embedding = g.constant(w["embed_tokens.weight"])
    first, last = g.constant([0], "i8"), g.constant([1], "i8")
    length = g.Slice(g.Shape("tokens"), last, g.constant([2], "i8"))
    cos, sin = (g.Slice(g.constant(table), first, length, first) for table in kjv.rotations())
    padded = g.Equal("tokens", g.constant(kjv.PAD, "i4"))
    hidden = g.Where(padded, g.constant(-1e9), g.constant(0))
    hidden = g.Unsqueeze(hidden, g.constant([1, 2], "i8"))
    scale, to_heads = g.constant(head ** -0.5), g.constant([0, 0, kjv.HEADS, head], "i8")
    from_heads, to_rows = g.constant([0, 0, kjv.WIDTH], "i8"), g.constant([-1, kjv.WIDTH], "i8")
    epsilon = g.constant(1e-5)

    def norm(x, name):
        mean = g.ReduceMean(g.Mul(x, x), axes=[-1])
        return g.Mul(g.Div(x, g.Sqrt(g.Add(mean, epsilon))), g.constant(w[f"{name}.weight"]))

    def turned(x):
        a, b = g.Split(x, axis=-1, outputs=2)
        return g.Concat(
            g.Sub(g.Mul(a, cos), g.Mul(b, sin)), g.Add(g.Mul(b, cos), g.Mul(a, sin)), axis=-1)

    x = g.Gather(embedding, "tokens")
    for layer in range(kjv.LAYERS):
        def linear(name, x):
            return g.MatMul(x, g.constant(w[f"layers.{layer}.{name}_proj.weight"].T))

        h = norm(x, f"layers.{layer}.input_layernorm")
        q, k, v = (
            g.Transpose(g.Reshape(linear(f"self_attn.{name}", h), to_heads), perm=[0, 2, 1, 3])
            for name in "qkv")
        scores = g.MatMul(turned(q), g.Transpose(turned(k), perm=[0, 1, 3, 2]))
        shares = g.Softmax(g.Add(g.Mul(scores, scale), hidden), axis=-1)
        mixed = g.Transpose(g.MatMul(shares, v), perm=[0, 2, 1, 3])
        x = g.Add(x, linear("self_attn.o", g.Reshape(mixed, from_heads)))

        h = norm(x, f"layers.{layer}.post_attention_layernorm")
        gate = linear("mlp.gate", h)
        inner = g.Mul(g.Mul(gate, g.Sigmoid(gate)), linear("mlp.up", h))
        x = g.Add(x, linear("mlp.down", inner))
    states = g.Gather(g.Reshape(norm(x, "norm"), to_rows), "rows")
    g.nodes.append(helper.make_node(
        "MatMul", [states, g.Transpose(embedding, perm=[1, 0])], ["logits"]))
    return helper.make_graph(
        g.nodes, "kjv",
        [helper.make_tensor_value_info("tokens", TensorProto.INT32, ["sequences", "length"]),
         helper.make_tensor_value_info("rows", TensorProto.INT32, ["n"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", kjv.VOCAB])],
        g.constants)


def largest_difference(session, model):
    """Between the logits of onnxruntime and of numpy: random tokens, half of them masked, in three
    sequences of which two are shorter than the longest."""
    rng, differences = np.random.default_rng(1), []
    for length in (5, 64, 200):
        tokens = rng.integers(2, kjv.VOCAB, (3, length)).astype("i4")
        tokens[rng.random(tokens.shape) < 0.5] = kjv.MASK
        tokens[1, -length // 3:] = tokens[2, -2:] = kjv.PAD
        rows = rng.permutation(np.flatnonzero(tokens != kjv.PAD)).astype("i4")
        found, = session.run(None, {"tokens": tokens, "rows": rows})
        differences.append(np.abs(found - model(tokens).reshape(-1, kjv.VOCAB)[rows]).max())
        # What stands behind a sequence makes no difference to it.
        alone = model(tokens[2:, :-2])[0]
        differences.append(np.abs(model(tokens)[2, :-2] - alone).max())
    return max(differences)


def main():
    model = helper.make_model(graph(), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    PATH.parent.mkdir(exist_ok=True)
    onnx.save(model, PATH)
    difference = largest_difference(onnxruntime.InferenceSession(PATH), kjv.Kjv())
    print(f"{PATH}: its logits differ by at most {difference:.1e} from those of kjv.py")
    assert difference < 1e-3


if __name__ == "__main__":
    main()
