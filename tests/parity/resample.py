"""Makes resample.safetensors: torchaudio's default resampler to 16 kHz, for tests/audio_resample.rs.

    python resample.py        # torch, torchaudio 2.11.0, safetensors

For every rate: in.RATE, int16 samples (the input is these / 32768), and out.RATE, float32, what
torchaudio.transforms.Resample(RATE, 16000) returns. lengths: [N, 3] int64 rows (rate, samples in, samples out), chosen where
the exact ceiling and torchaudio's (which is taken in float32) part ways, and some plain ones.
"""
import math, os
import torch, torchaudio
from safetensors.torch import save_file

torch.set_num_threads(1)
tensors = {}
for rate in [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]:
    g = torch.Generator().manual_seed(rate)
    n = int(0.09 * rate) + 7
    t = torch.arange(n, dtype=torch.float64) / rate
    x = 0.5 * torch.sin(2 * math.pi * (100 + 30000 * t) * t) + 0.3 * torch.randn(n, generator=g, dtype=torch.float64)
    x[n // 2] = 1.0
    x = (x.clamp(-1, 1) * 32767).round().to(torch.int16)
    y = torchaudio.transforms.Resample(rate, 16000)(x.float()[None] / 32768)[0]
    tensors[f"in.{rate}"], tensors[f"out.{rate}"] = x, y
    print(rate, n, len(y))


def out_len(rate, n):
    # The last lines of _apply_sinc_resample_kernel, as written there: the convolution gives n // o + 1 blocks.
    d = math.gcd(rate, 16000)
    o, m = rate // d, 16000 // d
    if o == m:
        return n
    target = torch.ceil(torch.as_tensor(m * n / o)).long().item()
    return min(target, (n // o + 1) * m)


rows = []
for rate in [8000, 11025, 22050, 24000, 32000, 44100, 48000]:
    d = math.gcd(rate, 16000)
    o, m = rate // d, 16000 // d
    rows += [[rate, n, out_len(rate, n)] for n in [1, 2, 3, o - 1, o, o + 1, 10 * rate, 30 * rate + 1]]
    odd = [n for n in range(25 * rate, 25 * rate + 2000) if out_len(rate, n) != -(-m * n // o)][:3]
    rows += [[rate, n, out_len(rate, n)] for n in odd]
    print(rate, "ceiling differs at", odd)
# One of them through torchaudio itself.
for rate, n, want in [r for r in rows if r[2] != -(-16000 * r[1] // r[0])][:1] + rows[:1]:
    assert torchaudio.transforms.Resample(rate, 16000)(torch.zeros(1, n)).shape[1] == want, (rate, n, want)
tensors["lengths"] = torch.tensor(rows)
here = os.path.dirname(os.path.abspath(__file__))
save_file(tensors, os.path.join(here, "resample.safetensors"),
          {"torch": torch.__version__, "torchaudio": torchaudio.__version__})
