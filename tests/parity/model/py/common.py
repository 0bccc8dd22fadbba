"""What every part shares: pinned versions, determinism, places, and how files are written."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT.parent))
import common as shared  # noqa: E402 (before torch: it chooses the kernels)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

be_deterministic = shared.be_deterministic
CLIPS = ROOT / "clips"
CHECKPOINTS = ROOT / "checkpoints"
PINNED = ["torch", "transformers", "tokenizers", "trl", "accelerate", "peft", "safetensors", "numpy"]
NEW_TOKENS = 64


def versions():
    """The pinned packages that are installed; ends the program if one differs from requirements.txt."""
    return shared.versions(ROOT.parent / "requirements.txt", PINNED)


def normals(seed):
    """Draws standard normal tensors, one after another, from numpy: torch's own differ between kinds of processors."""
    source = np.random.Generator(np.random.PCG64(seed))

    def draw(*shape, dtype=torch.float32):
        return torch.from_numpy(source.standard_normal(shape)).to(dtype)

    return draw


def integers(seed):
    """Draws integers below a bound, likewise."""
    source = np.random.Generator(np.random.PCG64(seed))
    return lambda high, shape: torch.from_numpy(source.integers(0, high, shape))


def write_tensors(name, tensors):
    """Writes a safetensors file beside the scripts; names sorted, data contiguous and unshared."""
    tensors = {key: tensors[key].detach().clone().contiguous() for key in sorted(tensors)}
    save_file(tensors, ROOT / name, metadata={"format": "pt"})
    (ROOT / name).chmod(0o644)


def write_json(name, value):
    """Writes JSON for people and diffs."""
    path = ROOT / name
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def two_digits(x):
    """A measured error, rounded so that the certificate does not change with noise."""
    return float(f"{float(x):.1e}")


def largest_error(a, b):
    """The largest absolute difference, in float64."""
    return (a.double() - b.double()).abs().max().item()
