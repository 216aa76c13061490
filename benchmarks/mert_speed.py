"""How fast MERT-95M encodes here, beside the way it is usually run.

    python -m benchmarks.mert_speed [--rounds 5] [--layers 6]

Usual: transformers' HubertModel in float32, one 5 s window at a time, all hidden states, one
process with a thread for each core. Ours: the encoder of this repository, one single-threaded
process for each core, up to the highest layer in use. Weights are random at the released shapes,
which changes no speed.

Rounds are interleaved (usual, ours, usual, …); each gives one ratio, and their median and range are
printed, with the share of the matrix product peak that was measured in the same rounds, both per
CPU second. On a machine that does other work at the same time the wall clock is noisy, and the
usual way suffers most, because its threads wait for each other. "usual x1" is therefore measured
too: the same model in one single-threaded process for each core, which waits for nobody; the ratio
of CPU seconds to it is the lower bound of what is gained.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from transformers import Wav2Vec2FeatureExtractor

from mess_plugin.encoders.mert import encoder, fast, hubert, linear
from mess_plugin.encoders.mert.releases import MERT_95M
from tests.mert_checkpoint import music, random_tensors

WINDOW_S = 5.0
PRODUCT = 2048  # rows and columns of the product that measures the peak
USUAL_LAYERS = 12


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round cost: seconds by the clock, seconds of CPU in all processes together."""

    wall_s: float
    cpu_s: float


def gflop_per_window(layers: int) -> float:
    """Multiply-adds times two of the matrix products for one window, in 10^9."""
    shape = MERT_95M.architecture
    rows, width, flop = round(WINDOW_S * 24_000), 1, 0.0
    for kernel, stride in zip(shape.conv_kernel, shape.conv_stride, strict=True):
        rows = (rows - kernel) // stride + 1
        flop += 2.0 * rows * width * kernel * shape.conv_dim
        width = shape.conv_dim
    per_row = 2.0 * shape.conv_dim * shape.dim
    per_row += 2.0 * shape.dim * shape.dim / shape.position_groups * shape.position_kernel
    each = 4 * shape.dim**2 + 2 * shape.dim * shape.feed_forward_dim + 2 * rows * shape.dim
    return (flop + rows * (per_row + layers * 2.0 * each)) / 1e9


def usual(layers: int) -> Callable[[int], None]:  # noqa: ARG001
    """HubertModel as it is usually called."""
    tensors = hubert.checked(MERT_95M, random_tensors(MERT_95M.architecture))
    model = hubert.build(MERT_95M.architecture, tensors, (USUAL_LAYERS,)).model
    processor = Wav2Vec2FeatureExtractor(sampling_rate=24_000, do_normalize=True)
    window = music(WINDOW_S)[0]

    def encode(n_windows: int) -> None:
        with torch.no_grad():
            for _ in range(n_windows):
                inputs = processor(window, sampling_rate=24_000, return_tensors="pt")
                states = model(**inputs, output_hidden_states=True).hidden_states
                torch.stack(states).mean(dim=2).numpy()

    return encode


def ours(make_name: str) -> Callable[[int], Callable[[int], None]]:
    """Our encoder with one of the products of `mess_plugin.encoders.mert.linear`."""

    def prepare(layers: int) -> Callable[[int], None]:

        tensors = hubert.checked(MERT_95M, random_tensors(MERT_95M.architecture))
        make = linear.fastest_exact() if make_name == "exact" else getattr(linear, make_name)
        forward = fast.build(MERT_95M.architecture, tensors, (layers,), make)
        window = music(WINDOW_S)
        del tensors

        def encode(n_windows: int) -> None:

            for _ in range(n_windows):
                forward(torch.from_numpy(encoder.normalise(window))).numpy().mean(axis=1)

        return encode

    return prepare


def peak(layers: int) -> Callable[[int], None]:  # noqa: ARG001
    """Square float32 products by whichever library is faster here."""
    x = torch.ones(PRODUCT, PRODUCT)
    product = linear.fastest_exact()(x, None, PRODUCT)

    def multiply(n: int) -> None:
        with torch.inference_mode():
            for _ in range(n):
                product(x)

    return multiply


WAYS: dict[str, Callable[[int], Callable[[int], None]]] = {
    "usual": usual,
    "usual x1": usual,
    "peak": peak,
    "exact": ours("exact"),
    "bfloat16": ours("bfloat16"),
    "int8": ours("int8"),
}


def serve(way: str, layers: int, threads: int, pipe: Connection) -> None:
    """A process that does `n` units of work for each `n` it is sent, and answers with the cost."""
    torch.set_num_threads(threads)
    work = WAYS[way](layers)
    work(1)
    pipe.send(None)
    while (n := pipe.recv()) is not None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work(n)
        pipe.send(Cost(time.perf_counter() - wall_s, time.process_time() - cpu_s))


class Team:
    """Processes that share the work of one way of encoding."""

    def __init__(self, way: str, layers: int, processes: int, threads: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["transformers.models.hubert.modeling_hubert"])
        pipes = [context.Pipe() for _ in range(processes)]
        self.pipes = [pipe for pipe, _ in pipes]
        self.processes = [
            context.Process(target=serve, args=(way, layers, threads, end), daemon=True)
            for _, end in pipes
        ]
        for process in self.processes:
            process.start()
        for pipe in self.pipes:
            pipe.recv()

    def run(self, n_each: int) -> Cost:
        """Let every process do `n_each` units at the same time."""
        start_s = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(n_each)
        costs: list[Cost] = [pipe.recv() for pipe in self.pipes]
        return Cost(time.perf_counter() - start_s, sum(cost.cpu_s for cost in costs))

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join()


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):5.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=6, help="the highest layer in use")
    parser.add_argument("--windows", type=int, default=1, help="windows per core and round")
    parser.add_argument("--ways", default="exact", help="comma-separated: exact,bfloat16,int8")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    ways = options.ways.split(",")
    teams = {"usual": Team("usual", options.layers, 1, cores)}
    teams |= {way: Team(way, options.layers, cores, 1) for way in ["usual x1", "peak", *ways]}
    costs: dict[str, list[Cost]] = {name: [] for name in teams}
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f} at the start")
    for done in range(options.rounds):
        print(f"round {done + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for name, team in teams.items():
            n = options.windows * (cores if name == "usual" else 1)
            costs[name].append(team.run(n))
    for team in teams.values():
        team.close()
    report(costs, options.layers, options.windows * cores)


def report(costs: dict[str, list[Cost]], layers: int, n_windows: int) -> None:
    """One line for each way: speed, share of the peak, and ratios to the usual ways."""
    product_gflop = n_windows * 2.0 * PRODUCT**3 / 1e9
    peaks = [product_gflop / cost.cpu_s for cost in costs["peak"]]
    print(f"matrix product peak: {spread(peaks)} GFLOP per CPU second")
    for name, rounds in costs.items():
        if name == "peak":
            continue
        gflop = n_windows * gflop_per_window(USUAL_LAYERS if "usual" in name else layers)
        speed = [n_windows * WINDOW_S / cost.wall_s for cost in rounds]
        shares = [gflop / cost.cpu_s / peak for cost, peak in zip(rounds, peaks, strict=True)]
        print(f"{name}: {spread(speed)} s of audio per s, {spread(shares)} of the peak")
        for other in ("usual", "usual x1"):
            pairs = list(zip(costs[other], rounds, strict=True))
            print(
                f"    times {other}: by the clock {spread([a.wall_s / b.wall_s for a, b in pairs])}"
                f", by CPU seconds {spread([a.cpu_s / b.cpu_s for a, b in pairs])}"
            )
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
