"""mel.safetensors: the features of transformers' WhisperFeatureExtractor, and the same in float64."""

import common
import numpy as np
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

FILTERS = mel_filter_bank(201, 128, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
RATE = 16000


def extractor():
    """As Qwen2-Audio's preprocessor_config.json has it."""
    return WhisperFeatureExtractor(
        feature_size=128, sampling_rate=RATE, hop_length=160, chunk_length=30, n_fft=400, padding_value=0.0, return_attention_mask=True
    )


def features(made_by, samples):
    """(features [128, 3000], number of ones in the mask) of the extractor, called as Qwen2AudioProcessor calls it."""
    got = made_by(samples, sampling_rate=RATE, return_attention_mask=True, padding="max_length", return_tensors="np")
    out, mask = got["input_features"][0], got["attention_mask"][0]
    valid = int(mask.sum())
    assert out.shape == (128, 3000) and mask.shape == (3000,) and mask[:valid].all()
    return out, valid


def audio_tokens(valid):
    """Qwen2AudioEncoder._get_feat_extract_output_lengths."""
    return ((valid - 1) // 2 + 1 - 2) // 2 + 1


def exact(x):
    """The definition in float64 throughout."""
    x = np.concatenate([x, np.zeros(480000)])[:480000]
    x = np.pad(x, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.lib.stride_tricks.sliding_window_view(x, 400)[::160][:3000] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    log = np.log10(np.maximum(power @ FILTERS, 1e-10)).T
    return (np.maximum(log, log.max() - 8) + 4) / 4


def to16(x):
    """Int16 of numbers in [-1, 1]; what is beyond is clipped."""
    return (np.clip(x, -1, 32767 / 32768) * 32768).round().clip(-32768, 32767).astype(np.int16)


def written():
    """Short signals that are kept sample by sample: name: (int16, times that it is repeated)."""
    rng = np.random.default_rng(5)
    t = lambda seconds: np.arange(int(seconds * RATE)) / RATE
    sine = lambda f, seconds: np.sin(2 * np.pi * f * t(seconds))
    swell = lambda: to16(0.4 * sine(523, 0.4) * np.hanning(6400) + 0.01 * rng.standard_normal(6400))
    return {
        "tone": (to16(0.5 * sine(440, 0.3)), 1),
        "quiet": (to16(0.0004 * sine(1000, 0.2)), 1),
        "chirp": (to16(0.8 * np.sin(2 * np.pi * (50 + 8000 * t(0.5)) * t(0.5))), 1),
        "silence-0.1-s": (np.zeros(1600, np.int16), 1),
        "clipping": (to16(4 * sine(300, 0.2)), 1),
        "dc": (to16(np.full(3200, 0.7)), 1),
        "noise": (to16(0.3 * rng.standard_normal(4001)), 1),
        "impulse": (to16(np.eye(1, 2000, 777)[0] * 0.99), 1),
        "click-after-silence": (to16(np.concatenate([np.zeros(3000), sine(3000, 0.02)])), 1),
        "321-samples": (to16(0.2 * rng.standard_normal(321)), 1),
        "loud-then-faint": (to16(np.concatenate([0.9 * sine(700, 0.2), 0.0003 * rng.standard_normal(1600)])), 1),
        "ten-seconds": (swell(), 25),
        "just-30-s": (swell(), 75),
        "29.99-s": (to16(0.4 * sine(331, 0.4915) + 0.01 * rng.standard_normal(7864)), 61),
        "31-s": (to16(0.4 * sine(200, 1.0) + 0.05 * rng.standard_normal(16000)), 31),
        "silence-30-s": (np.zeros(16000, np.int16), 30),
        "dc-30-s": (to16(np.full(16000, -0.3)), 30),
        "clipping-30-s": (to16(3 * sine(251, 1.0)), 30),
    }


# name: (seconds, first frequency, last frequency, amplitude).
SWEPT = {
    "tone-0.1-s": (0.1, 1000, 1000, 0.5),
    "tone-50-hz-30-s": (30, 50, 50, 0.5),
    "tone-440-hz-30-s": (30, 440, 440, 0.9),
    "tone-1234.5-hz-10-s": (10, 1234.5, 1234.5, 0.01),
    "tone-3999.7-hz-31-s": (31, 3999.7, 3999.7, 0.5),
    "tone-7900-hz-30-s": (30, 7900, 7900, 0.5),
    "chirp-0.1-s": (0.1, 200, 6000, 0.5),
    "chirp-up-30-s": (30, 20, 8000, 0.8),
    "chirp-down-30-s": (30, 8000, 20, 0.8),
    "chirp-aliased-31-s": (31, 0, 40000, 0.3),
    "chirp-narrow-20-s": (20, 990, 1010, 0.05),
}


def swept(table, seconds, first, last):
    """(int16, [samples, step, sweep]). Only integers, so that another program has the very samples from three numbers:
    sample i is table[phase >> 52], then phase += step and step += sweep, all modulo 2^64."""
    n = int(seconds * RATE)
    step = round(first / RATE * 2**64)
    sweep = round((last - first) / RATE * 2**64 / n)
    i = np.arange(n, dtype=np.uint64)
    with np.errstate(over="ignore"):
        # i (i - 1) / 2 without a lost bit: one of the two is even.
        pairs = np.where(i % 2 == 0, i // 2 * (i - np.uint64(1)), (i - np.uint64(1)) // 2 * i)
        phase = i * np.uint64(step) + pairs * np.uint64(sweep % 2**64)
    return table[phase >> np.uint64(52)], np.array([n, step, sweep % 2**64], np.uint64)


def kept_frames(touched):
    """All of a short clip's frames; of a long one's the ends and every 97th."""
    if touched < 60:
        return list(range(touched))
    return sorted({*range(4), *range(7, touched, 97), *range(touched - 4, touched)})


def expected(made_by, name, samples):
    """What the test compares with, for one signal."""
    out, mask = features(made_by, samples)
    touched = min(3000, -(-(min(len(samples), 480000) + 200) // 160))
    rest = np.unique(out[:, touched:]) if touched < 3000 else np.array([np.nan], np.float32)
    assert len(rest) == 1, (name, rest)
    frames = np.array(kept_frames(touched) + ([touched] if touched < 3000 else []), np.int64)
    truth = exact(samples.astype(np.float64))
    return {
        f"{name}.frames": frames,
        f"{name}.out": out[:, frames],
        f"{name}.exact": truth[:, frames].astype(np.float32),
        f"{name}.last": rest.astype(np.float32),
        f"{name}.mask": np.array([mask], np.int64),
    }


def make(here, versions):
    """Writes the file."""
    made_by = extractor()
    tensors = {"filters": made_by.mel_filters.astype(np.float32)}
    assert np.array_equal(tensors["filters"], FILTERS.astype(np.float32))
    for name, (x, repeat) in written().items():
        tensors |= {f"{name}.in": x, f"{name}.repeat": np.array([repeat], np.int64)}
        tensors |= expected(made_by, name, np.tile(x, repeat).astype(np.float32) / 32768)
    turn = np.sin(2 * np.pi * np.arange(4096) / 4096)
    for name, (seconds, first, last, amplitude) in SWEPT.items():
        table = to16(amplitude * turn)
        x, tensors[f"{name}.swept"] = swept(table, seconds, first, last)
        tensors[f"{name}.table"] = table
        tensors |= expected(made_by, name, x.astype(np.float32) / 32768)
    made_with = {name: versions[name] for name in ["torch", "transformers", "numpy"]}
    common.write_tensors(here / "mel.safetensors", tensors, made_with)
