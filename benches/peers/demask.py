"""The C functions of include/demask.h that are timed, through ctypes."""

import ctypes as c
import pathlib
import sys

import numpy as np

from steps import Step

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"linux": "libdemask.so", "darwin": "libdemask.dylib", "win32": "demask.dll"}


class Options(c.Structure):
    _fields_ = [(name, c.c_uint32) for name in (
        "struct_size", "level", "threads", "max_positions", "max_segments", "max_policies",
        "max_vocab")]


class Logits(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("dtype", c.c_uint32), ("data", c.c_void_p),
        ("n_rows", c.c_size_t), ("vocab", c.c_size_t), ("row_stride", c.c_size_t),
        ("row_index", c.c_void_p), ("data_rows", c.c_size_t), ("guide", c.c_void_p),
        ("guidance_scale", c.c_float), ("reserved", c.c_uint32), ("earlier", c.c_void_p),
        ("reserved_2", c.c_size_t)]


class Rule(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("temperature", c.c_float), ("top_k", c.c_uint32),
        ("top_p", c.c_float), ("min_p", c.c_float), ("filter_order", c.c_uint32),
        ("method", c.c_uint32)]


class Statistics(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("temperature", c.c_float), ("given", c.c_void_p),
        ("against", c.c_void_p), ("rows", c.c_void_p), ("top", c.c_void_p),
        ("n_top", c.c_size_t)]


BEFORE_TEMPERATURE = 1
KEY = np.dtype([("seed", "u8"), ("stream", "u8"), ("step", "u4"), ("position", "u4")])
ROW_STATISTICS = np.dtype([(name, "f8") for name in (
    "log_sum_exp", "entropy", "probability", "log_probability", "log_others", "margin",
    "argmax_log_others", "log_margin_gap", "given_log_probability", "divergence")] + [("max", "f4"), ("argmax", "i4")])

SHIFTS = 4096


class Demask:
    """A context for up to `rows` rows on so many threads."""

    def __init__(self, library, rows, threads):
        self.lib = c.CDLL(str(library))
        self.lib.demask_status_string.restype = c.c_char_p
        options = Options()
        self.init(self.lib.demask_options_init, options)
        options.threads, options.max_positions = threads, rows
        self.context = c.c_void_p()
        self.check(self.lib.demask_create(c.byref(options), c.byref(self.context)))
        self.tokens = np.empty(rows, np.int32)
        # A call takes its keys from one key further on, so that each has others.
        self.keys = np.zeros(rows + SHIFTS, KEY)
        self.keys["stream"] = np.arange(len(self.keys))
        self.shift = 0
        self.tokens_at, self.keys_at = self.tokens.ctypes.data, self.keys.ctypes.data
        self.statistics = np.empty(rows, ROW_STATISTICS)
        self.wanted = Statistics()
        self.init(self.lib.demask_statistics_init, self.wanted)
        self.wanted.rows = self.statistics.ctypes.data
        self.draw_call = self.lib.demask_draw
        self.draw_call.argtypes = [
            c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t, c.c_size_t,
            c.c_void_p, c.c_void_p]
        self.statistics_call = self.lib.demask_draw_statistics
        self.statistics_call.argtypes = [
            c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t, c.c_void_p,
            c.c_void_p, c.c_void_p]

    def __del__(self):
        if getattr(self, "context", None):
            self.lib.demask_destroy(self.context)

    def check(self, status):
        if status:
            raise RuntimeError(f"demask: {self.lib.demask_status_string(status).decode()}")

    def init(self, call, struct):
        self.check(call(c.byref(struct), c.c_size_t(c.sizeof(struct))))

    def rule(self, **fields):
        """The rule of a draw, with these fields set."""
        rule = Rule()
        self.init(self.lib.demask_draw_rule_init, rule)
        for name, value in fields.items():
            setattr(rule, name, value)
        return rule

    def next_keys(self):
        self.shift = (self.shift + 1) % SHIFTS
        return self.keys_at + 24 * self.shift

    def draw(self, view, rule):
        """A token for each row."""
        status = self.draw_call(
            self.context, c.byref(view), c.byref(rule), None, self.next_keys(), view.n_rows, 1,
            self.tokens_at, None)
        if status:
            self.check(status)
        return self.tokens[:view.n_rows]

    def draw_statistics(self, view, rule):
        """A token for each row, and its probability at temperature 1 among all statistics."""
        status = self.statistics_call(
            self.context, c.byref(view), c.byref(rule), None, self.next_keys(), view.n_rows,
            c.byref(self.wanted), self.tokens_at, None)
        if status:
            self.check(status)
        return self.tokens[:view.n_rows], self.statistics["probability"][:view.n_rows]


def view(logits):
    """The description of an array of rows; the array must outlive it."""
    rows, vocab = logits.shape
    assert logits.dtype == np.float32 and logits.flags.c_contiguous
    return Logits(c.sizeof(Logits), 0, logits.ctypes.data, rows, vocab, vocab)


def library(path=None):
    return pathlib.Path(path) if path else ROOT / "target/release" / NAMES[sys.platform]


def version(path):
    lib = c.CDLL(str(path))
    lib.demask_version_string.restype = c.c_char_p
    return lib.demask_version_string().decode()


def steps(path, rows, threads, temperature):
    demask = Demask(path, rows, threads)
    greedy = demask.rule(temperature=0)
    rules = {
        "draw": demask.rule(temperature=temperature),
        "greedy": greedy,
        "top-k 50": demask.rule(temperature=temperature, top_k=50),
        "top-p 0.9": demask.rule(temperature=temperature, top_p=0.9),
        # The filters see temperature 1, as in llama.cpp.
        "top-k 40, top-p 0.95": demask.rule(
            temperature=temperature, top_k=40, top_p=0.95, filter_order=BEFORE_TEMPERATURE),
    }
    confident = {"draw + confidence": rules["draw"], "greedy + confidence": greedy}

    def step(task, call, rule):
        return Step(task, "demask", lambda v: call(v, rule), view)

    return ([step(task, demask.draw, rule) for task, rule in rules.items()]
            + [step(task, demask.draw_statistics, rule) for task, rule in confident.items()])
