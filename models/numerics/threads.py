"""How many threads torch takes."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread for what happens inside, as many as before afterwards.

    Sums of floats depend on how threads share them, so labels would depend on the machine. Networks this small gain nothing from a second
    thread either: measured on two busy cores, two threads made each layer wait for the other and took twenty times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
