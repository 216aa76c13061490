"""mess-mini: the small encoder that MESS trains itself and ships. NumPy alone, no network needed.

    spectra.py             waveform → log-mel and semitone spectra
    network.py             spectra → what the trained stem and trunk make of them
    encoder.py             windows → frames: the learnt features and plain statistics of the spectra
    mess-mini.safetensors  weights, and the projections fitted with them
    CARD.md                data, licences, recipe, scores, limits

It is trained by `mess_plugin.pretraining`.
"""

from __future__ import annotations

from pathlib import Path

from mess_plugin.encoders.base import Encoder, EncoderDescription, EncoderOptions, WeightsState

NAME = "mess-mini"
FILE_NAME = "mess-mini.safetensors"
LICENCE = "Apache-2.0"
RATE_HZ = 24_000
DIM = 736
SHIPPED = Path(__file__).parent


def _load(options: EncoderOptions) -> Encoder:
    from mess_plugin.encoders.mini.encoder import load  # noqa: PLC0415

    return load(options)


def _weights_state(_directory: Path | None) -> WeightsState:
    if (SHIPPED / FILE_NAME).is_file():
        return WeightsState(ready=True, detail="comes with mess-plugin")
    return WeightsState(ready=False, detail=f"{SHIPPED / FILE_NAME} is gone: reinstall mess-plugin")


DESCRIPTIONS = (
    EncoderDescription(
        name=NAME,
        summary="Small trained encoder of timbre, harmony and movement; works everywhere",
        licence=LICENCE,
        weights_mb=8.5,
        dim=DIM,
        rate_hz=RATE_HZ,
        speed="~450 x real time per core",
        extra=None,
        weights_state=_weights_state,
        load=_load,
    ),
)
