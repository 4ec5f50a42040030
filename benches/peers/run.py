"""Times demask beside what masked diffusion models sample with today. See README.md."""

import argparse
import importlib
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

# jax and numpy ask how many cores there are when they are imported.
if "--worker" in sys.argv:
    threads = sys.argv[sys.argv.index("--worker") + 1]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    os.environ["OMP_NUM_THREADS"] = threads

import numpy as np

import demask

TEMPERATURE = 0.8
VOCABS = [50257, 126464, 33]
ROOT = demask.ROOT


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocab", type=int, nargs="*", default=VOCABS)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--resident", choices=["cache", "memory"], nargs="*",
                        default=["cache", "memory"])
    parser.add_argument("--task", nargs="*", help="only these tasks, such as draw")
    parser.add_argument("--megabytes", type=int, default=512, help="size of the rows in memory")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true",
                        help="one repetition on 32 MB: that everything runs, not how fast")
    parser.add_argument("--library", help="the shared library; by default target/release")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.repetitions, options.megabytes = 1, 32
    return options


def rows_of(resident, vocab, megabytes):
    """4 MB and a row stay in cache; in memory no cache holds all rows."""
    if resident == "cache":
        return (1 << 20) // vocab + 1
    return min((megabytes << 18) // vocab, 1 << 20)


def make(rows, vocab):
    """Normal logits, standard deviation 2.5, and eight raised tokens in each long row."""
    rng = np.random.default_rng(rows * vocab)
    logits = rng.standard_normal((rows, vocab), dtype=np.float32)
    logits *= 2.5
    if vocab >= 1000:
        at = rng.integers(vocab, size=(rows, 8))
        logits[np.arange(rows)[:, None], at] += rng.uniform(8, 16, (rows, 8)).astype(np.float32)
    return logits


def peers(threads):
    """The steps of all peers that are installed, and why the others are not there."""
    found, missing = [], []
    for name, values in [("torch", (TEMPERATURE, threads)), ("numpy", (TEMPERATURE,)),
                         ("jax", (TEMPERATURE,)), ("llama", (TEMPERATURE,))]:
        try:
            found += importlib.import_module(f"peer_{name}").steps(*values)
        except (ImportError, OSError, RuntimeError) as error:
            missing.append(f"{name}: skipped, {str(error).splitlines()[0]}")
    return found, missing


def tail(x, freedom):
    """P(chi-square > x), exactly."""
    if freedom % 2 == 0:
        terms = [math.exp(-x / 2)]
        for k in range(1, freedom // 2):
            terms.append(terms[-1] * x / 2 / k)
        return sum(terms)
    half = math.sqrt(x / 2)
    term = math.exp(-x / 2) * half / math.gamma(1.5)
    total = math.erfc(half)
    for k in range(1, (freedom - 1) // 2 + 1):
        total += term
        term *= x / 2 / (k + 0.5)
    return total


def law(row, task):
    """The exact law of a task such as "top-p 0.9": softmax at the temperature of what is kept."""
    z = row.astype(np.float64)
    order = np.argsort(-z, kind="stable")
    kept = np.ones(len(z), bool)
    filters = dict(part.split() for part in task.split(", ") if part.startswith("top-"))
    if "top-k" in filters:
        kept[order[int(filters["top-k"]):]] = False
    # Both filters are llama.cpp's default chain, which filters at temperature 1.
    p = np.where(kept, np.exp((z - z.max()) / (1 if len(filters) == 2 else TEMPERATURE)), 0)
    if "top-p" in filters:
        p /= p.sum()
        before = np.cumsum(p[order]) - p[order]
        kept[order[before >= float(filters["top-p"])]] = False
    p = np.where(kept, np.exp((z - z.max()) / TEMPERATURE), 0)
    return p / p.sum()


def confidence_is_right(logits, tokens, confidence):
    """Whether the confidence of tokens is their probability at temperature 1, to 1e-4."""
    z = logits.astype(np.float64)
    z -= z.max(axis=-1, keepdims=True)
    p = np.exp(z[np.arange(len(z)), tokens]) / np.exp(z).sum(axis=-1)
    return np.allclose(np.asarray(confidence), p, rtol=1e-4, atol=1e-7)


def check(step):
    """Whether the tokens of a step can be what it says: the argmax, or draws from the law (a
    chi-square test of 2^17 draws of one row; the p-value)."""

    def run(logits):
        result = step.run(step.prepare(logits))
        if step.task.endswith("confidence"):
            tokens, confidence = result
            assert confidence_is_right(logits, np.asarray(tokens), confidence), "confidence is off"
            result = tokens
        return np.asarray(result)

    if step.task.startswith("greedy"):
        logits = make(64, 5003)
        tokens = run(logits)
        return 1.0 if np.array_equal(tokens, logits.argmax(axis=-1)) else 0.0
    row = make(1, 97)[0] / 2
    rows = 1 << 13 if step.row_by_row else 1 << 17
    block = np.ascontiguousarray(np.broadcast_to(row, (rows, len(row))))
    tokens = run(block)
    expected = law(row, step.task) * rows
    counts = np.bincount(tokens, minlength=len(row)).astype(np.float64)
    if counts[expected == 0].any():
        return 0.0
    # Tokens that are hardly ever seen are counted together.
    rare = expected < 20
    expected = np.append(expected[~rare], expected[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    if expected[-1] < 20:
        expected[-2:], counts[-2:] = expected[-2:].sum(), counts[-2:].sum()
        expected, counts = expected[:-1], counts[:-1]
    return tail(float(((counts - expected) ** 2 / expected).sum()), len(expected) - 1)


class Timed:
    """A step on an array, repeated."""

    def __init__(self, step, logits, resident):
        self.step, self.logits, self.at = step, logits, 0
        self.per_logit = []
        rows, vocab = logits.shape
        # At first 16 MB, then as many rows as take 0.2 s: all of them where a step is fast.
        self.rows = min(rows, max(1, (1 << 22) // vocab)) if resident == "memory" else rows
        self.once()
        elapsed = self.once()
        if resident == "memory":
            self.rows = min(rows, max(self.rows, int(self.rows * 0.2 / elapsed)))
            self.once()
        self.calls = max(1, int(0.02 / elapsed)) if resident == "cache" else 1

    def once(self, calls=1):
        if self.at + self.rows > len(self.logits):
            self.at = 0
        rows = self.step.prepare(self.logits[self.at:self.at + self.rows])
        self.at += self.rows
        run, start = self.step.run, time.perf_counter()
        for _ in range(calls):
            run(rows)
        return (time.perf_counter() - start) / calls

    def repeat(self):
        seconds = self.once(self.calls)
        self.per_logit.append(1e9 * seconds / (self.rows * self.logits.shape[1]))

    def median(self):
        return statistics.median(self.per_logit)

    def spread(self):
        return (max(self.per_logit) - min(self.per_logit)) / self.median()


def measure(options, threads):
    """All cases on so many threads: prints tables, returns lines."""
    path = demask.library(options.library)
    others, missing = peers(threads)
    for line in missing:
        print(line)
    capacity = max([1 << 17] + [rows_of(resident, vocab, options.megabytes)
                                for vocab in options.vocab for resident in options.resident])
    ours = demask.steps(path, capacity, threads, TEMPERATURE)
    usable = []
    print(f"\nthe law of each step, {threads} thread(s): p-value of a chi-square test, or argmax")
    for step in ours + others:
        if options.task and step.task not in options.task:
            continue
        if step.one_thread and threads > 1:
            continue
        try:
            p = check(step)
        except Exception as error:  # a peer that cannot run here, such as a compiler that is missing
            if step in ours:
                raise
            print(f"  {step.name} ({step.task}): skipped, {type(error).__name__}: "
                  f"{(str(error) or '?').splitlines()[0][:90]}")
            continue
        verdict = "" if p > 1e-6 else "  <- not the law it says"
        print(f"  {step.task:<20} {step.name:<35} {p:.2g}{verdict}")
        if step in ours:
            assert p > 1e-6, "demask's tokens do not follow the law"
        usable.append((step, p))
    lines = []
    for resident in options.resident:
        for vocab in options.vocab:
            rows = rows_of(resident, vocab, options.megabytes)
            lines += case(options, threads, resident, make(rows, vocab), usable)
    return lines


def case(options, threads, resident, logits, usable):
    rows, vocab = logits.shape
    timed, skipped = [], []
    for step, p in usable:
        if step.row_by_row and vocab < 1000:
            skipped.append(f"  {step.name}: skipped, one row a call")
            continue
        timed.append((Timed(step, logits, resident), p))
    for _ in range(options.repetitions):
        for one, _ in timed:
            one.repeat()
    ours = {one.step.task: one.median() for one, _ in timed if one.step.name == "demask"}
    print(f"\n{resident}, {threads} thread(s), f32, V = {vocab:,} x {rows:,} rows\n"
          f"  {'task':<20} {'step':<35} {'ns/logit':>9} {'x demask':>9} {'spread':>7}")
    lines = []
    order = list(dict.fromkeys(step.task for step, _ in usable))
    for one, p in sorted(timed, key=lambda pair: order.index(pair[0].step.task)):
        task, median = one.step.task, one.median()
        ratio = median / ours[task] if task in ours else None
        shown = "-" if ratio is None else f"{ratio:.3g}x"
        print(f"  {task:<20} {one.step.name:<35} {median:>9.4g} {shown:>9} {one.spread():>6.0%}")
        lines.append({
            "task": task, "step": one.step.name, "dtype": "f32", "threads": threads,
            "resident": resident, "vocab": vocab, "rows": rows, "ns_per_token": median,
            "ratio_to_demask": ratio, "spread": one.spread(), "law_p_value": p})
    for line in skipped:
        print(line)
    sys.stdout.flush()
    return lines


def machine():
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        info.setdefault(name.strip(), value.strip())
    return (f"{info.get('model name', platform.machine())} (family {info.get('cpu family')}, model "
            f"{info.get('model')}), {len(os.sched_getaffinity(0))} cores, {platform.platform()}, "
            f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")


def main():
    options = arguments()
    if options.worker:
        lines = measure(options, options.worker)
        print("json:" + json.dumps(lines))
        return
    path = demask.library(options.library)
    if not path.exists():
        sys.exit(f"{path} is not there: cargo build --release")
    print(machine())
    print(f"demask {demask.version(path)}, {path}")
    start, lines = time.time(), []
    for threads in options.threads:
        # A process for each number of threads, bound to so many cores before anything is imported.
        command = [sys.executable, *sys.argv, "--worker", str(threads)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            for line in worker.stdout:
                if line.startswith("json:"):
                    lines += json.loads(line[5:])
                else:
                    print(line, end="", flush=True)
        if worker.returncode:
            sys.exit(f"the run on {threads} thread(s) failed")
    target = ROOT / "target/peers.json"
    target.write_text(json.dumps(lines, indent=1) + "\n")
    print(f"\n{len(lines)} lines in {target} after {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
