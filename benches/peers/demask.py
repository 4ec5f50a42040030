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
        "struct_size", "level", "threads", "max_positions", "max_segments", "max_policies")]


class Logits(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("dtype", c.c_uint32), ("data", c.c_void_p),
        ("n_rows", c.c_size_t), ("vocab", c.c_size_t), ("row_stride", c.c_size_t),
        ("row_index", c.c_void_p), ("data_rows", c.c_size_t)]


KEY = np.dtype([("seed", "u8"), ("stream", "u8"), ("step", "u4"), ("position", "u4")])


SHIFTS = 4096


class Demask:
    """A context for up to `rows` rows on so many threads."""

    def __init__(self, library, rows, threads):
        self.lib = c.CDLL(str(library))
        self.lib.demask_status_string.restype = c.c_char_p
        options = Options()
        self.check(self.lib.demask_options_init(c.byref(options), c.c_size_t(c.sizeof(options))))
        options.threads, options.max_positions = threads, rows
        self.context = c.c_void_p()
        self.check(self.lib.demask_create(c.byref(options), c.byref(self.context)))
        self.tokens = np.empty(rows, np.int32)
        # A call takes its keys from one key further on, so that each has others.
        self.keys = np.zeros(rows + SHIFTS, KEY)
        self.keys["stream"] = np.arange(len(self.keys))
        self.shift = 0
        self.tokens_at, self.keys_at = self.tokens.ctypes.data, self.keys.ctypes.data
        self.draw_call = self.lib.demask_draw
        self.draw_call.argtypes = [
            c.c_void_p, c.c_void_p, c.c_float, c.c_int32, c.c_void_p, c.c_size_t, c.c_void_p,
            c.c_void_p]

    def __del__(self):
        if getattr(self, "context", None):
            self.lib.demask_destroy(self.context)

    def check(self, status):
        if status:
            raise RuntimeError(f"demask: {self.lib.demask_status_string(status).decode()}")

    def draw(self, view, temperature):
        """A token for each row."""
        self.shift = (self.shift + 1) % SHIFTS
        status = self.draw_call(
            self.context, c.byref(view), temperature, -1, self.keys_at + 24 * self.shift,
            view.n_rows, self.tokens_at, None)
        if status:
            self.check(status)
        return self.tokens[:view.n_rows]


def view(logits):
    """The description of an array of rows; the array must outlive it."""
    rows, vocab = logits.shape
    assert logits.dtype == np.float32 and logits.flags.c_contiguous
    return Logits(c.sizeof(Logits), 0, logits.ctypes.data, rows, vocab, vocab, None, rows)


def library(path=None):
    return pathlib.Path(path) if path else ROOT / "target/release" / NAMES[sys.platform]


def version(path):
    lib = c.CDLL(str(path))
    lib.demask_version_string.restype = c.c_char_p
    return lib.demask_version_string().decode()


def steps(path, rows, threads, temperature):
    demask = Demask(path, rows, threads)
    return [
        Step("draw", "demask", lambda v: demask.draw(v, temperature), view),
        Step("greedy", "demask", lambda v: demask.draw(v, 0.0), view),
    ]
