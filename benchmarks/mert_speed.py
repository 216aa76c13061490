"""How fast MERT encodes here, beside the way it is usually run.

    python -m benchmarks.mert_speed [--rounds 5] [--model mert-95m] [--layers 6] [--ways exact,int8]

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
from multiprocessing.connection import Connection

import msgspec
import torch
from transformers import Wav2Vec2FeatureExtractor

from mess_plugin.encoders.mert import encoder, fast, hubert, linear, precision
from mess_plugin.encoders.mert.releases import RELEASES, Release
from tests.mert_checkpoint import music, random_tensors

WINDOW_S = 5.0
PRODUCT = 2048  # rows and columns of the product that measures the peak


class Model(msgspec.Struct, frozen=True):
    """What is encoded with: ours stops at the state `highest`, the usual way goes to the top."""

    release: Release
    highest: int

    @property
    def top(self) -> int:
        """The last state there is."""
        return self.release.architecture.depth


class Cost(msgspec.Struct, frozen=True):
    """What one round cost: seconds by the clock, seconds of CPU in all processes together."""

    wall_s: float
    cpu_s: float


def gflop_per_window(release: Release, layers: int) -> float:
    """Multiply-adds times two of the matrix products for one window, in 10^9."""
    shape = release.architecture
    rows, width, flop = round(WINDOW_S * 24_000), 1, 0.0
    for kernel, stride in zip(shape.conv_kernel, shape.conv_stride, strict=True):
        rows = (rows - kernel) // stride + 1
        flop += 2.0 * rows * width * kernel * shape.conv_dim
        width = shape.conv_dim
    per_row = 2.0 * shape.conv_dim * shape.dim
    per_row += 2.0 * shape.dim * shape.dim / shape.position_groups * shape.position_kernel
    each = 4 * shape.dim**2 + 2 * shape.dim * shape.feed_forward_dim + 2 * rows * shape.dim
    return (flop + rows * (per_row + layers * 2.0 * each)) / 1e9


def usual(model: Model) -> Callable[[int], None]:
    """HubertModel as it is usually called."""
    shape = model.release.architecture
    tensors = hubert.checked(model.release, random_tensors(shape))
    whole = hubert.build(shape, tensors, (model.top,)).model
    processor = Wav2Vec2FeatureExtractor(sampling_rate=24_000, do_normalize=True)
    window = music(WINDOW_S)[0]

    def encode(n_windows: int) -> None:
        with torch.no_grad():
            for _ in range(n_windows):
                inputs = processor(window, sampling_rate=24_000, return_tensors="pt")
                states = whole(**inputs, output_hidden_states=True).hidden_states
                torch.stack(states).mean(dim=2).numpy()

    return encode


def ours(chosen: str) -> Callable[[Model], Callable[[int], None]]:
    """Our encoder at one precision."""

    def prepare(model: Model) -> Callable[[int], None]:
        shape = model.release.architecture
        tensors = hubert.checked(model.release, random_tensors(shape))
        products = precision.products(chosen)
        forward = fast.build(shape, tensors, (model.highest,), products)
        window = music(WINDOW_S)
        del tensors

        def encode(n_windows: int) -> None:
            for _ in range(n_windows):
                forward(encoder.normalise(torch.from_numpy(window))).numpy().mean(axis=1)

        return encode

    return prepare


def peak(model: Model) -> Callable[[int], None]:  # noqa: ARG001
    """Square float32 products by whichever library is faster here."""
    x = torch.ones(PRODUCT, PRODUCT)
    product = linear.fastest_exact()(x, None, PRODUCT)

    def multiply(n: int) -> None:
        with torch.inference_mode():
            for _ in range(n):
                product(x)

    return multiply


WAYS: dict[str, Callable[[Model], Callable[[int], None]]] = {
    "usual": usual,
    "usual x1": usual,
    "peak": peak,
    "exact": ours("fp32"),
    "bf16": ours("bf16"),
    "int8": ours("int8"),
}


def serve(way: str, model: Model, threads: int, pipe: Connection) -> None:
    """A process that does `n` units of work for each `n` it is sent, and answers with the cost."""
    torch.set_num_threads(threads)
    work = WAYS[way](model)
    work(1)
    pipe.send(None)
    while (n := pipe.recv()) is not None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work(n)
        pipe.send(Cost(time.perf_counter() - wall_s, time.process_time() - cpu_s))


class Team:
    """Processes that share the work of one way of encoding."""

    def __init__(self, way: str, model: Model, processes: int, threads: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["transformers.models.hubert.modeling_hubert"])
        pipes = [context.Pipe() for _ in range(processes)]
        self.pipes = [pipe for pipe, _ in pipes]
        self.processes = [
            context.Process(target=serve, args=(way, model, threads, end), daemon=True)
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
    parser.add_argument("--model", choices=[one.name for one in RELEASES], default=RELEASES[0].name)
    parser.add_argument("--layers", type=int, help="the highest layer in use, if not the default")
    parser.add_argument("--windows", type=int, default=1, help="windows per core and round")
    parser.add_argument("--ways", default="exact", help="comma-separated: exact,bf16,int8")
    options = parser.parse_args()
    release = next(one for one in RELEASES if one.name == options.model)
    model = Model(release, options.layers or int(release.default_layers))
    cores = len(os.sched_getaffinity(0))
    ways = options.ways.split(",")
    teams = {"usual": Team("usual", model, 1, cores)}
    teams |= {way: Team(way, model, cores, 1) for way in ["usual x1", "peak", *ways]}
    costs: dict[str, list[Cost]] = {name: [] for name in teams}
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f} at the start")
    for done in range(options.rounds):
        print(f"round {done + 1} of {options.rounds}", file=sys.stderr, flush=True)
        for name, team in teams.items():
            n = options.windows * (cores if name == "usual" else 1)
            costs[name].append(team.run(n))
    for team in teams.values():
        team.close()
    report(costs, model, options.windows * cores)


def report(costs: dict[str, list[Cost]], model: Model, n_windows: int) -> None:
    """One line for each way: speed, share of the peak, and ratios to the usual ways."""
    product_gflop = n_windows * 2.0 * PRODUCT**3 / 1e9
    peaks = [product_gflop / cost.cpu_s for cost in costs["peak"]]
    print(f"matrix product peak: {spread(peaks)} GFLOP per CPU second")
    for name, rounds in costs.items():
        if name == "peak":
            continue
        layers = model.top if "usual" in name else model.highest
        gflop = n_windows * gflop_per_window(model.release, layers)
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
