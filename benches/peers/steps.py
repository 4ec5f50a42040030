"""What is timed: a step turns rows of logits into one token a row, some with its confidence."""

from typing import Any, Callable, NamedTuple

import numpy as np


class Step(NamedTuple):
    # What it computes: steps of one task are compared with demask's.
    task: str
    name: str
    # From what `prepare` made of the rows to their tokens, or to tokens and their probabilities at
    # temperature 1. This is timed.
    run: Callable[[Any], Any]
    # From an array of rows to what the step works on; not timed, and without a copy where that is
    # possible.
    prepare: Callable[[np.ndarray], Any]
    # It runs on one thread whatever it is given.
    one_thread: bool = False
    # It takes one row a call, which through Python is fair for long rows only.
    row_by_row: bool = False
