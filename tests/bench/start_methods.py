"""Milliseconds of start and join of a process that does nothing, by Python's multiprocessing:
start_methods.py COUNT prints "METHOD MILLISECONDS", a line for each start method."""

import multiprocessing
import sys
import time


def nothing():
    pass


def measure(method, count):
    context = multiprocessing.get_context(method)

    def start_and_join():
        process = context.Process(target=nothing)
        process.start()
        process.join()

    start_and_join()  # the fork server itself is started by the first
    begin = time.perf_counter()
    for _ in range(count):
        start_and_join()
    return (time.perf_counter() - begin) / count * 1000


if __name__ == "__main__":
    for name in ("fork", "spawn", "forkserver"):
        print(name, f"{measure(name, int(sys.argv[1])):.3f}")
