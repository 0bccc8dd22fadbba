"""resample.safetensors: torchaudio's default resampler to 16 kHz."""

import math

import common
import torch
import torchaudio

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]


def signal(rate):
    """Int16: a chirp beyond the new band's edge, noise and an impulse."""
    g = torch.Generator().manual_seed(rate)
    n = int(0.09 * rate) + 7
    t = torch.arange(n, dtype=torch.float64) / rate
    x = 0.5 * torch.sin(2 * math.pi * (100 + 30000 * t) * t) + 0.3 * torch.randn(n, generator=g, dtype=torch.float64)
    x[n // 2] = 1.0
    return (x.clamp(-1, 1) * 32767).round().to(torch.int16)


def out_len(rate, n):
    """The last lines of _apply_sinc_resample_kernel, as written there: the convolution gives n // o + 1 blocks."""
    d = math.gcd(rate, 16000)
    o, m = rate // d, 16000 // d
    if o == m:
        return n
    target = torch.ceil(torch.as_tensor(m * n / o)).long().item()
    return min(target, (n // o + 1) * m)


def lengths():
    """Rows (rate, samples in, samples out): plain ones, and those where the exact ceiling and torchaudio's part ways."""
    rows = []
    for rate in RATES:
        d = math.gcd(rate, 16000)
        o, m = rate // d, 16000 // d
        rows += [[rate, n, out_len(rate, n)] for n in [1, 2, 3, o - 1, o, o + 1, 10 * rate, 30 * rate + 1] if n > 0]
        odd = [n for n in range(25 * rate, 25 * rate + 2000) if out_len(rate, n) != -(-m * n // o)][:3]
        rows += [[rate, n, out_len(rate, n)] for n in odd]
    # Some of them through torchaudio itself.
    for rate, n, want in [r for r in rows if r[2] != -(-16000 * r[1] // r[0])][:1] + rows[::9]:
        assert torchaudio.transforms.Resample(rate, 16000)(torch.zeros(1, n)).shape[1] == want, (rate, n, want)
    return rows


def make(here, versions):
    """Writes the file."""
    tensors = {"lengths": torch.tensor(lengths()).numpy()}
    for rate in RATES:
        x = signal(rate)
        y = torchaudio.transforms.Resample(rate, 16000)(x.float()[None] / 32768)[0]
        tensors[f"in.{rate}"], tensors[f"out.{rate}"] = x.numpy(), y.numpy()
    made_with = {name: versions[name] for name in ["torch", "torchaudio"]}
    common.write_tensors(here / "resample.safetensors", tensors, made_with)
