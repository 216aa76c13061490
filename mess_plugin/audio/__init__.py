"""From a file to mono float32 sound, and to a name for that sound.

    source.py       what may be opened, and the bytes of a file without its tags
    pcm_headers.py  contradictions in headers of uncompressed sound, mended on the way in
    ogg.py          the parts of chained files, and headers said twice
    container.py    FFmpeg's demuxers, fenced in; what the file says about itself
    identity.py     the name of the audio, unmoved by tags, names and padding
    frames.py       packets → frames with their times, past damage
    downmix.py      frames of any format → one channel
    resampling.py   one channel → one rate, as one fixed signal path
    decoding.py     the stream of waveform blocks, with damage counted and gaps kept

Everything a file does wrong leaves this package as one `AudioError`.
"""

from mess_plugin.audio.container import AudioInfo, probe
from mess_plugin.audio.decoding import Decoding, decode
from mess_plugin.audio.identity import identify
from mess_plugin.audio.resampling import DECODER_REVISION
from mess_plugin.audio.source import AUDIO_SUFFIXES, is_audio

__all__ = [
    "AUDIO_SUFFIXES",
    "DECODER_REVISION",
    "AudioInfo",
    "Decoding",
    "decode",
    "identify",
    "is_audio",
    "probe",
]
