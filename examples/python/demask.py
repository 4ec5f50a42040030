"""demask from Python: the C functions of include/demask.h on numpy arrays and torch tensors.

ctypes, since it comes with Python: nothing is compiled, nothing but numpy installed. Structs,
numbers and functions are read from the header when this module is imported, so that they cannot
differ from it: `demask.Policy` is demask_policy, `demask.DECODER_LLADA` is DEMASK_DECODER_LLADA, and
`demask.C` holds the functions. What they mean stands there, and only there.

The library is $DEMASK_LIBRARY, or that of `cargo build --release` in this repository, or an
installed one; the header is $DEMASK_HEADER, or that of this repository, or the installed one.

No array is copied. They are passed by pointer, and lie in the CPU's memory. Python's other threads
run during a call, and must not touch its arrays.
"""

import ctypes
import ctypes.util
import math
import os
import pathlib
import re
import sys

import numpy as np


class Error(RuntimeError):
    """A call returned `status`, another one than DEMASK_OK, and has changed nothing."""

    def __init__(self, name, status):
        super().__init__(f"{name}: {C.demask_status_string(status).decode()}")
        self.status = status


class Array:
    """What has to be known of an array of numpy or a tensor of torch: the address of its first
    element, the name of its type, the lengths and strides of its axes, in elements, and whether it
    is writable."""

    def __init__(self, array):
        if isinstance(array, np.ndarray):
            size = array.dtype.itemsize
            if not array.dtype.isnative or any(stride % size for stride in array.strides):
                raise ValueError("an array in another byte order, or with strides between elements")
            self.address, self.type = array.ctypes.data, array.dtype.name
            self.strides = tuple(stride // size for stride in array.strides)
            self.writable = array.flags.writeable
        elif hasattr(array, "data_ptr"):
            if array.device.type != "cpu":
                raise ValueError(f"a tensor on {array.device}: it must be on the CPU")
            self.address, self.type = array.data_ptr(), str(array.dtype).removeprefix("torch.")
            self.strides, self.writable = tuple(array.stride()), True
        else:
            raise TypeError(f"{type(array).__name__}: no array of numpy and no tensor of torch")
        self.shape = tuple(array.shape)
        self.size = math.prod(self.shape)

    def rows(self):
        """How many rows there are along the last axis, their length, and the distance from each to
        the next. There may be any number of axes before it, and room behind each row."""
        if not self.shape:
            raise ValueError("a single number, not rows of logits")
        *outer, length = self.shape
        axes = [(n, stride) for n, stride in zip(outer, self.strides) if n != 1]
        even = all(a == n * b for (_, a), (n, b) in zip(axes, axes[1:]))
        distance = axes[-1][1] if axes else length
        if not even or distance < length or (length > 1 and self.strides[-1] != 1):
            raise ValueError(
                f"shape {self.shape} with strides {self.strides}: not rows of neighbouring "
                "elements at one distance; make it contiguous")
        return math.prod(outer), length, distance

    def is_contiguous(self):
        inner = [math.prod(self.shape[axis + 1:]) for axis in range(len(self.shape))]
        return all(a == b or n == 1 for n, a, b in zip(self.shape, self.strides, inner))


class Struct(ctypes.Structure):
    """A struct of the header, made from the values of its fields: Policy(steps=3). Fields that are
    pointers take arrays of the right type, or structs; they are kept alive."""

    def __init__(self, **fields):
        super().__init__()
        if "struct_size" in self.pointees:
            self.struct_size = ctypes.sizeof(self)
        self.set(**fields)

    def set(self, **fields):
        for name, value in fields.items():
            if name not in self.pointees:
                raise TypeError(f"{type(self).__name__} has no field {name}")
            pointee = self.pointees[name]
            setattr(self, name, address(value, pointee, name) if pointee else value)
            # ctypes cuts off what does not fit.
            if not pointee and isinstance(value, int) and getattr(self, name) != value:
                raise ValueError(f"{name}: {value} does not fit into its type")
            self.__dict__[f"_{name}"] = value
        return self


def address(value, pointee, name):
    """Where `value` lies: an array of what the type `pointee` of C names, such a struct, or None."""
    if value is None or isinstance(value, int):
        return value
    wanted = pointee.removeprefix("const ")
    if isinstance(value, (ctypes.Structure, ctypes.Array)):
        found = (value._type_ if isinstance(value, ctypes.Array) else type(value)).__name__
        right, at = found == wanted, ctypes.addressof(value)
    else:
        array = Array(value)
        found, at = array.type, array.address
        if not array.is_contiguous():
            raise ValueError(
                f"{name}: shape {array.shape} with strides {array.strides}: not contiguous")
        if wanted == pointee and not array.writable:
            raise ValueError(f"{name}: it is written to, but the array is read-only")
        if wanted in DECLARED.structs:
            right = value.dtype == np.dtype(DECLARED.structs[wanted])
        else:
            right = wanted == "void" or found == np.dtype(Header.TYPES[wanted]).name
    if not right:
        raise TypeError(f"{name}: {found}, but it points to {pointee}")
    return at


class Header:
    """What a demask.h declares: `constants`, `structs` and `functions`, by name."""

    TYPES = {
        "uint8_t": ctypes.c_uint8, "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64,
        "int32_t": ctypes.c_int32, "demask_status": ctypes.c_int32, "size_t": ctypes.c_size_t,
        "float": ctypes.c_float, "double": ctypes.c_double, "void": None}

    def __init__(self, text):
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
        self.constants = {
            name: int(value) for name, value in re.findall(r"#define (DEMASK_\w+) (\d+)\n", text)}
        self.structs = {}
        for name, body in re.findall(r"typedef struct (demask_\w+) \{(.*?)\}", text, re.DOTALL):
            fields = [self.declared(field) for field in body.split(";") if field.strip()]
            self.structs[name] = type(name, (Struct,), {
                "_fields_": [(field, type) for field, type, _ in fields],
                "pointees": {field: pointee for field, _, pointee in fields}})
        self.functions = {}
        for result, arguments in re.findall(r"^(\w[\w ]*[ *]demask_\w+)\(([^)]*)\);", text, re.M):
            name, result, _ = self.declared(result)
            arguments = [self.declared(a)[1] for a in arguments.split(",") if a != "void"]
            self.functions[name] = result, arguments

    def declared(self, text):
        """The name in "const double *times", its type, and what that points to, if it does."""
        text, name = re.fullmatch(r"\s*(.*?)(\w+)\s*", text, re.DOTALL).groups()
        base = re.sub(r"\bstruct |\*", "", text).strip()
        if "*" in text:
            return name, ctypes.c_char_p if base == "const char" else ctypes.c_void_p, base
        return name, self.structs.get(base) or self.TYPES[base], None


def find():
    """The paths of the library and of its header."""
    root = pathlib.Path(__file__).resolve().parents[2]
    name = {"darwin": "libdemask.dylib", "win32": "demask.dll"}.get(sys.platform, "libdemask.so")
    built = root / "target/release" / name
    library = os.environ.get("DEMASK_LIBRARY") or (
        built if built.exists() else ctypes.util.find_library("demask"))
    headers = [root / "include", "/usr/local/include", "/usr/include"]
    if library:
        headers.insert(1, pathlib.Path(library).resolve().parent.parent / "include")
    found = [pathlib.Path(folder, "demask.h") for folder in headers]
    header = os.environ.get("DEMASK_HEADER") or next(filter(pathlib.Path.exists, found), None)
    if not library or not header:
        raise ImportError("demask is neither built nor installed: run `cargo build --release`, or "
                          "name library and header in $DEMASK_LIBRARY and $DEMASK_HEADER")
    return str(library), pathlib.Path(header)


LIBRARY, HEADER = find()
DECLARED = Header(HEADER.read_text())
C = ctypes.CDLL(LIBRARY)
for _name, (_result, _arguments) in DECLARED.functions.items():
    getattr(C, _name).restype, getattr(C, _name).argtypes = _result, _arguments
globals().update({name.removeprefix("DEMASK_"): n for name, n in DECLARED.constants.items()})
if C.demask_version_number() >> 16 != VERSION_MAJOR << 8 | VERSION_MINOR:
    raise ImportError(f"{LIBRARY} is version {C.demask_version_string().decode()}, {HEADER} is of "
                      f"{VERSION_MAJOR}.{VERSION_MINOR}")

Options, Policy, DrawRule, Canvas, PlanBuffers, Logits, StepOut = (
    DECLARED.structs[f"demask_{name}"] for name in (
        "options", "policy", "draw_rule", "canvas", "plan_buffers", "logits", "step_out"))
# For arrays of structs: np.zeros(3, SEGMENT) are three segments with columns such as ["begin"].
SEGMENT, KEY, POSITION_STATE = (
    np.dtype(DECLARED.structs[f"demask_{name}"]) for name in ("segment", "key", "position_state"))


def call(name, *arguments):
    """A function that returns a status. Structs go by address."""
    status = getattr(C, name)(*(
        ctypes.byref(a) if isinstance(a, ctypes.Structure) else a for a in arguments))
    if status:
        raise Error(name, status)


def policy(preset, *numbers, **fields):
    """What demask_policy_`preset` makes of `numbers`, with `fields` set afterwards:
    policy("decoder", DECODER_LLADA, 32, temperature=0.7)."""
    made = Policy()
    if not all(0 <= number < 2**32 for number in numbers):
        raise ValueError(f"{preset}: numbers {numbers}: not from 0 to 2^32 - 1")
    call(f"demask_policy_{preset}", *numbers, made, ctypes.sizeof(made))
    return made.set(**fields)


def segments(n, **columns):
    """`n` segments, with the values of fields: segments(2, begin=[0, 50], end=[50, 90], seed=7)."""
    made = np.zeros(n, SEGMENT)
    for name, values in columns.items():
        made[name] = values
    return made


def canvas(tokens, mask_token, segments, policies, **fields):
    """A canvas on `tokens`, int32 and contiguous, of any shape: position i is element i of all of
    them. `fields` are kinds, states, constraints and the like."""
    policies = [policies] if isinstance(policies, Policy) else list(policies)
    array = (Policy * len(policies))(*policies)
    array.policies = policies  # they keep alive what they point to
    positions = Array(tokens).size
    for name in ("kinds", "states", "prior_multiply", "prior_add"):
        if fields.get(name) is not None and Array(fields[name]).size != positions:
            raise ValueError(f"{name}: not one for each of {positions} positions")
    return Canvas(
        mask_token=mask_token, tokens=tokens, n_positions=positions, segments=segments,
        n_segments=len(segments), policies=array, n_policies=len(policies),
        segment_size=SEGMENT.itemsize, policy_size=ctypes.sizeof(Policy), **fields)


def logits(array, row_index=None, dtype=None, **fields):
    """Rows of logits: of float32, float16 or bfloat16, the last axis being the vocabulary. Row k is
    row `row_index[k]` (uint32) of the array, if that is given. Where numpy has no bfloat16, its
    bits are uint16 and `dtype` is DTYPE_BF16. `fields` are guide and guidance_scale, or earlier."""
    look = Array(array)
    types = {"float32": DTYPE_F32, "float16": DTYPE_F16, "bfloat16": DTYPE_BF16, "uint16": dtype}
    if types.get(look.type) is None:
        raise TypeError(f"logits of {look.type}: not of float32, float16 or bfloat16")
    rows, vocab, stride = look.rows()
    made = Logits(
        dtype=types[look.type], data=look.address, vocab=vocab, row_stride=stride,
        n_rows=rows if row_index is None else len(row_index), row_index=row_index,
        data_rows=0 if row_index is None else rows, **fields)
    made.array = array
    return made


class Plan:
    """What demask_plan fills, for up to so many positions and segments."""

    def __init__(self, positions, segments):
        self.all_rows, self.all_offsets = np.empty(positions, "u4"), np.empty(segments + 1, "u4")
        self.all_times, self.all_reads = np.empty(segments, "f8"), np.empty(segments, "u1")
        self.buffers = PlanBuffers(
            rows=self.all_rows, rows_capacity=positions, offsets=self.all_offsets,
            steps=np.empty(segments, "u4"), log_masked=np.empty(segments, "f8"),
            times=self.all_times, reads_earlier=self.all_reads, segments_capacity=segments)

    @property
    def active(self):
        """In how many segments something may still move; at 0 the batch is done."""
        return self.buffers.n_active

    @property
    def rows(self):
        """The positions whose logits the step needs."""
        return self.all_rows[:self.buffers.n_rows]

    @property
    def offsets(self):
        """Where the rows of each segment begin, and where the last ones end."""
        return self.all_offsets[:self.buffers.n_segments + 1]

    @property
    def times(self):
        """The time of each segment, for a network that is told it."""
        return self.all_times[:self.buffers.n_segments]

    @property
    def reads_earlier(self):
        """Whether the step needs the earlier logits of a segment's rows."""
        return self.all_reads[:self.buffers.n_segments]


class Sampler:
    """A context for up to so many positions and segments, and a plan of that size. `options` are
    threads, max_policies, max_vocab and level. Use it from one thread at a time."""

    def __init__(self, positions, segments=1, **options):
        self.context, made = ctypes.c_void_p(), Options()
        call("demask_options_init", made, ctypes.sizeof(made))
        sizes = {"max_positions": positions, "max_segments": segments, "max_policies": 0}
        made.set(**{**sizes, **options})
        call("demask_create", made, ctypes.byref(self.context))
        self.own_plan = Plan(positions, segments)

    def __del__(self):
        C.demask_destroy(self.context)

    def plan(self, canvas):
        """Chooses the positions that the next step moves. The plan is good until the next one."""
        call("demask_plan", self.context, canvas, self.own_plan.buffers)
        return self.own_plan

    def step(self, canvas, rows, plan=None):
        """Makes a step, and returns what it did (StepOut). `rows` are logits: an array, or what
        logits() made of it. With a plan they are those of its rows; else those of all positions."""
        out = StepOut()
        if rows is not None and not isinstance(rows, Logits):
            rows = logits(rows)
        if plan is None:
            call("demask_step", self.context, canvas, rows, out)
        else:
            call("demask_step_planned", self.context, canvas, plan.buffers, rows, out)
        return out

    def draw(self, rows, keys, **rule):
        """Draws a token for each row of logits: int32, -1 for a bad row. `keys`, an array of KEY, has
        one for each row; `rule` are fields of DrawRule."""
        rows = rows if isinstance(rows, Logits) else logits(rows)
        made, tokens = DrawRule(), np.empty(len(keys), "i4")
        call("demask_draw_rule_init", made, ctypes.sizeof(made))
        call("demask_draw", self.context, rows, made.set(**rule), None,
             address(keys, "demask_key", "keys"), len(keys), 1, tokens.ctypes.data, None)
        return tokens
