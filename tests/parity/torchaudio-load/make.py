"""Makes the fixtures of this folder anew: `python tests/parity/torchaudio-load/make.py`, with what requirements.txt here pins.

It reads the clips and fixtures of ../audio, so that one runs first. See README.md.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import common  # noqa: E402

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402

import torchaudio  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from transformers import WhisperFeatureExtractor  # noqa: E402

AUDIO = HERE.parent / "audio"
LOSSY = ("MPEG_LAYER_III", "VORBIS")


def load(path):
    """[channels, frames] and rate, as torchaudio gives them where no FFmpeg libraries are installed."""
    waveform, rate = torchaudio.load(path, backend="soundfile")
    assert waveform.dtype == torch.float32
    return waveform, rate


def facts(path):
    """[rate, channels, frames, CRC-32 of channel 0, null where decoders may differ in rounding], and the waveform."""
    waveform, rate = load(path)
    first = waveform[0].numpy()
    samples, its_rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert (its_rate, samples.shape) == (rate, waveform.T.shape), path.name
    assert np.array_equal(samples, waveform.T.numpy()), f"{path.name}: torchaudio.load and libsndfile differ"
    lossy = soundfile.info(str(path)).subtype in LOSSY
    return [rate, len(waveform), len(first), None if lossy else common.crc32(first)], waveform


def resampled():
    """By rate: the largest difference of this release's resampler from ../audio/resample.safetensors."""
    other = load_file(AUDIO / "resample.safetensors")
    found = {}
    for name in sorted((n for n in other if n.startswith("in.")), key=lambda n: int(n[3:])):
        rate = int(name[3:])
        signal = torch.from_numpy(other[name].astype(np.float32) / 32768)
        here = torchaudio.transforms.Resample(rate, 16000)(signal[None])[0].numpy()
        theirs = other[f"out.{rate}"]
        assert here.shape == theirs.shape, rate
        found[str(rate)] = common.digits(np.abs(here - theirs).max(), 2)
    return found


def real(folder):
    """By clip: its facts, samples at 16 kHz and audio tokens, through R1-AQA's steps: load, resample, channel 0, extractor."""
    extractor = WhisperFeatureExtractor(feature_size=128)
    clips = {}
    for path in sorted((folder / "test-mini-audios").iterdir()):
        row, waveform = facts(path)
        if row[0] != 16000:
            waveform = torchaudio.transforms.Resample(orig_freq=row[0], new_freq=16000)(waveform)
        audio = waveform[0].numpy()
        got = extractor(audio, sampling_rate=16000, return_attention_mask=True, padding="max_length")
        valid = int(np.sum(got["attention_mask"][0]))
        clips[path.stem] = row + [len(audio), ((valid - 1) // 2 + 1 - 2) // 2 + 1]
    return clips


if __name__ == "__main__":
    common.be_deterministic()
    pins = ["torch", "torchaudio", "soundfile", "transformers", "numpy"]
    made_with = common.versions(HERE / "requirements.txt", pins)
    made_with["libsndfile"] = soundfile.__libsndfile_version__
    names = json.loads((AUDIO / "libsndfile.json").read_text())["files"]
    files = {name: facts(AUDIO / "clips" / name)[0] for name in names}
    common.write_json(HERE / "loaded.json", {"made_with": made_with}, files=files, resampled=resampled())
    folder = common.real_data("test-mini-audios", ["torchaudio-load/real_clips.json"])
    if folder is not None:
        common.write_json(HERE / "real_clips.json", {"made_with": made_with}, clips=real(folder))
