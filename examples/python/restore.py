"""Restores damaged verses: the model in models/kjv on onnxruntime, sampled by demask.

What a user of demask writes is restore(). The verses are shown while they are restored, new tokens
in green. The model's file is made by export_onnx.py, if it is not there.
"""

import argparse
import sys
import time

import numpy as np
import onnxruntime

import demask
import export_onnx
import kjv


def restore(session, tokens, lengths, temperature, seed, watch):
    """Fills the masks of `tokens`, int32 [sequences, length]: one position of each sequence after
    another, at its first-hitting time. The network runs for the rows that a plan names, in the
    sequences that have any."""
    count, length = tokens.shape
    begins = np.arange(count) * length
    fraction = (tokens == kjv.MASK).sum(axis=1) / lengths
    segments = demask.segments(
        count, begin=begins, end=begins + lengths, seed=seed, stream=range(count),
        log_masked=np.log(fraction))  # hitting starts at this masked fraction
    policy = demask.policy("first_hitting", demask.NOISE_LINEAR, temperature=temperature)
    canvas = demask.canvas(tokens, kjv.MASK, segments, policy)
    sampler = demask.Sampler(tokens.size, count)
    calls, seconds = 0, np.zeros(2)
    while True:
        start = time.perf_counter()
        plan = sampler.plan(canvas)
        planned = time.perf_counter()
        if plan.active == 0:
            return calls, seconds
        named = np.flatnonzero(np.diff(plan.offsets))  # sequences with rows
        rows = np.searchsorted(named, plan.rows // length) * length + plan.rows % length
        logits, = session.run(None, {"tokens": tokens[named], "rows": rows.astype("i4")})
        ran = time.perf_counter()
        sampler.step(canvas, logits, plan)
        calls += len(named)
        seconds += ran - planned, planned - start + time.perf_counter() - ran
        watch(tokens, plan.rows)


def batch(sequences):
    """Sequences of different lengths as one array, and these lengths."""
    lengths = np.array([len(sequence) for sequence in sequences])
    tokens = np.full((len(sequences), lengths.max()), kjv.PAD, "i4")
    for row, sequence in zip(tokens, sequences):
        row[:len(sequence)] = sequence
    return tokens, lengths


class Display:
    """Shows sequences while they are restored: after every step on a terminal, which it clears, and
    after every third of the masks elsewhere."""

    def __init__(self, text, damaged):
        self.text, self.damaged, self.live = text, damaged.copy(), sys.stdout.isatty()
        self.total = self.next = (damaged == kjv.MASK).sum()
        self.watch(damaged)

    def watch(self, tokens, rows=None):
        left = (tokens == kjv.MASK).sum()
        if left > max(0, self.next) and not self.live:
            return
        self.next -= max(1, self.total // 3)
        if self.live:
            time.sleep(0.1)
            print("\033[H\033[J", end="")
        print(f"{left} of {self.total} masks left\n")
        for row, was in zip(tokens, self.damaged):
            new = np.flatnonzero(was == kjv.MASK) if self.live else ()
            print(self.text.decode(row, new) + "\n", flush=True)


def fraction(text):
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("a number above 0 and at most 1")
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", help="fill the gaps of this text, every _ of which is one token")
    parser.add_argument("--samples", type=int, default=5, help="how often to fill --text")
    parser.add_argument("--verses", type=int, default=4, help="how many held-out verses to restore")
    parser.add_argument("--mask", type=fraction, default=0.5, help="the masked fraction of a verse")
    parser.add_argument("--temperature", type=float, help="default: 0 for verses, 0.7 for --text")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    text, rng = kjv.Text(), np.random.default_rng(options.seed)
    if options.text is None:
        verses = (kjv.FOLDER / "held_out_verses.txt").read_text().splitlines()
        chosen = rng.choice(len(verses), options.verses, replace=False)
        originals, lengths = batch([text.encode(verses[i]) for i in chosen])
        tokens = originals.copy()
        for row, length in zip(tokens, lengths):
            masks = max(1, round(options.mask * (length - 2)))
            row[1 + rng.choice(length - 2, masks, replace=False)] = kjv.MASK
    else:
        tokens, lengths = batch([text.encode(options.text)] * options.samples)
        if kjv.MASK not in tokens:
            parser.error("--text has no gap; mark every missing token with _")
    temperature = options.temperature
    if temperature is None:
        temperature = 0 if options.text is None else 0.7

    if not export_onnx.PATH.exists():
        export_onnx.main()
    session = onnxruntime.InferenceSession(export_onnx.PATH, providers=["CPUExecutionProvider"])
    display, damaged = Display(text, tokens), tokens.copy()
    calls, (network, sampling) = restore(
        session, tokens, lengths, temperature, options.seed, display.watch)
    masks = (damaged == kjv.MASK).sum()
    if options.text is None:
        for row in originals:
            print("original: " + text.decode(row))
        exact = ((damaged == kjv.MASK) & (tokens == originals)).sum()
        print(f"\n{exact} of {masks} masked tokens are what they were")
    print(f"{calls} sequences through the network, {1e3 * network:.0f} ms; "
          f"sampling of {masks} tokens, {1e3 * sampling:.1f} ms")


if __name__ == "__main__":
    main()
