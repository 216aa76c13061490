"""Check the teacher's port against TensorFlow, which runs the published graph.

    pip install tensorflow-cpu
    pip download --no-deps musicnn==0.1.0 && unzip musicnn-0.1.0-py3-none-any.whl
    python benchmarks/check_musicnn.py musicnn/MSD_musicnn

Prints the largest difference of the averaged features on random spectra, and their range.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mess_plugin.pretraining.musicnn import WIDTH, MusiCNN

N_SPECTRA = 187  # what the published graph was built for


def published(folder: Path, mel: np.ndarray) -> Any:
    """The graph's "mean_pool", (n, WIDTH), from its meta file without the training half."""
    import tensorflow as tf  # noqa: PLC0415
    from tensorflow.core.protobuf import meta_graph_pb2  # noqa: PLC0415

    v1 = tf.compat.v1
    meta = meta_graph_pb2.MetaGraphDef()
    meta.ParseFromString((folder / ".meta").read_bytes())
    wanted = "model/moments/mean"
    graph_def = v1.graph_util.extract_sub_graph(meta.graph_def, [wanted, "save/restore_all"])
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.import_graph_def(graph_def, name="")
        session.run("save/restore_all", {meta.saver_def.filename_tensor_name: f"{folder}/"})
        feed = {"model/Placeholder:0": mel, "model/Placeholder_2:0": False}
        return session.run(f"{wanted}:0", feed).reshape(len(mel), WIDTH)


def main() -> None:
    """Parse the command line, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rng = np.random.default_rng(0)
    mel = np.abs(rng.standard_normal((4, N_SPECTRA, 96))).cumsum(axis=1).astype(np.float32) % 4
    with torch.no_grad():
        ours = MusiCNN(folder)(torch.from_numpy(mel)).mean(1).numpy()
    theirs = published(folder, mel)
    print(f"largest difference {np.abs(ours - theirs).max():.2g}, largest value {theirs.max():.3g}")


if __name__ == "__main__":
    main()
