"""Makes mel.safetensors: the features of WhisperFeatureExtractor (torch path), for tests/audio_mel.rs.

    python mel.py             # torch, transformers 4.49.0, numpy, safetensors

filters: [201, 128] float32, the extractor's. For every signal NAME:
  NAME.in      int16; the input is these / 32768. Repeated NAME.repeat times (long clips stay small).
  NAME.frames  int64, the frames that are kept here
  NAME.out     [128, frames] float32, the extractor's input_features at these frames
  NAME.exact   [128, frames] float32, the same in float64 arithmetic (window, transform, filters, logarithm), then rounded
  NAME.last    float32, the extractor's last frame, all 128 values of it equal where the clip ends before it (NaN if not)
  NAME.mask    int64, the sum of the attention mask
"""
import os
import numpy as np
import torch, transformers
from safetensors.numpy import save_file
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

assert transformers.__version__ == "4.49.0"
extractor = WhisperFeatureExtractor(feature_size=128, sampling_rate=16000, hop_length=160, chunk_length=30, n_fft=400,
                                    padding_value=0.0, return_attention_mask=True)
filters64 = mel_filter_bank(201, 128, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")


def exact(x):
    x = np.concatenate([x, np.zeros(480000)])[:480000]
    x = np.pad(x, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.lib.stride_tricks.sliding_window_view(x, 400)[::160][:3000] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    log = np.log10(np.maximum(power @ filters64, 1e-10)).T
    return (np.maximum(log, log.max() - 8) + 4) / 4


def to16(x):
    return (np.clip(x, -1, 32767 / 32768) * 32768).round().clip(-32768, 32767).astype(np.int16)


rng = np.random.default_rng(5)
t = lambda seconds: np.arange(int(seconds * 16000)) / 16000
sine = lambda f, seconds: np.sin(2 * np.pi * f * t(seconds))
signals = {
    "tone": (to16(0.5 * sine(440, 0.3)), 1),
    "quiet": (to16(0.0004 * sine(1000, 0.2)), 1),
    "chirp": (to16(0.8 * np.sin(2 * np.pi * (50 + 8000 * t(0.5)) * t(0.5))), 1),
    "silence": (np.zeros(1600, np.int16), 1),
    "clipping": (to16(4 * sine(300, 0.2)), 1),
    "dc": (to16(np.full(3200, 0.7)), 1),
    "noise": (to16(0.3 * rng.standard_normal(4001)), 1),
    "impulse": (to16(np.eye(1, 2000, 777)[0] * 0.99), 1),
    "click-after-silence": (to16(np.concatenate([np.zeros(3000), sine(3000, 0.02)])), 1),
    "321-samples": (to16(0.2 * rng.standard_normal(321)), 1),
    "loud-then-faint": (to16(np.concatenate([0.9 * sine(700, 0.2), 0.0003 * rng.standard_normal(1600)])), 1),
    "ten-seconds": (to16(0.4 * sine(523, 0.4) * np.hanning(6400) + 0.01 * rng.standard_normal(6400)), 25),
    "just-30-s": (to16(0.4 * sine(523, 0.4) * np.hanning(6400) + 0.01 * rng.standard_normal(6400)), 75),
    "29.99-s": (to16(0.4 * sine(331, 0.4915) + 0.01 * rng.standard_normal(7864)), 61),
    "31-s": (to16(0.4 * sine(200, 1.0) + 0.05 * rng.standard_normal(16000)), 31),
}
tensors = {"filters": extractor.mel_filters.astype(np.float32)}
assert np.array_equal(tensors["filters"], filters64.astype(np.float32))
for name, (x, repeat) in signals.items():
    samples = np.tile(x, repeat).astype(np.float32) / 32768
    got = extractor(samples, sampling_rate=16000, return_attention_mask=True, padding="max_length", return_tensors="np")
    out, mask = got["input_features"][0], int(got["attention_mask"][0].sum())
    assert out.shape == (128, 3000)
    n = min(len(samples), 480000)
    touched = min(3000, -(-(n + 200) // 160))
    frames = list(range(touched)) if touched < 60 else sorted({*range(4), *range(7, touched, 97), *range(touched - 4, touched)})
    truth = exact(samples.astype(np.float64))
    same = np.unique(out[:, touched:]) if touched < 3000 else np.array([np.nan], np.float32)
    assert len(same) == 1, (name, same)
    frames = np.array(frames + ([touched] if touched < 3000 else []), np.int64)
    tensors |= {f"{name}.in": x, f"{name}.repeat": np.array([repeat], np.int64), f"{name}.frames": frames,
                f"{name}.out": np.ascontiguousarray(out[:, frames]),
                f"{name}.exact": np.ascontiguousarray(truth[:, frames].astype(np.float32)),
                f"{name}.last": same.astype(np.float32), f"{name}.mask": np.array([mask], np.int64)}
    print(f"{name:20} n {n:6} mask {mask:4} touched {touched:4} kept {len(frames):3} "
          f"extractor off by {np.abs(out - truth).max():.2e}")
here = os.path.dirname(os.path.abspath(__file__))
save_file(tensors, os.path.join(here, "mel.safetensors"), {"transformers": transformers.__version__,
                                                           "torch": torch.__version__, "numpy": np.__version__})
