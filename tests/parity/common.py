"""What the makers of fixtures share: kernels that are the same on every processor, pins, places, and how files are written.

Import it before torch and numpy.
"""

import json
import os
import sys
import zlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The choice of kernels by processor is turned off, so that bytes do not depend on the machine.
os.environ.update(
    ATEN_CPU_CAPABILITY="default",
    MKL_CBWR="COMPATIBLE",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    TRANSFORMERS_VERBOSITY="error",
)

PARITY = Path(__file__).resolve().parent
ROOT = PARITY.parents[1]
PYTHON = "%d.%d" % sys.version_info[:2]


def versions(requirements, names):
    """The installed versions of packages; ends the program if one is not what a requirements file pins."""
    pins = dict(line.split("#")[0].strip().split("==") for line in requirements.read_text().splitlines() if "==" in line)
    found = {}
    for name in names:
        try:
            found[name] = version(name).split("+")[0]
        except PackageNotFoundError:
            found[name] = "none"
        if found[name] != pins.get(name):
            sys.exit(f"{name}: {requirements} pins {pins.get(name)}, found {found[name]}")
    return found


def be_deterministic():
    """One thread, deterministic kernels, no oneDNN (it chooses kernels by processor)."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.set_flags(False)


def real_data(what, files):
    """The folder of MMAU's files if `what` of it is there; else says which fixtures stay as they are."""
    shared = ROOT / os.environ.get("AQA_SHARED", "../shared")
    folder = shared / "data" / "mmau"
    if (folder / what).exists():
        return folder
    print(f"  no real data: {folder / what} is not there (set AQA_SHARED); left as they are: {', '.join(files)}", file=sys.stderr)
    return None


def crc32(samples):
    """CRC-32 of samples as little-endian float32."""
    import numpy as np

    return zlib.crc32(np.ascontiguousarray(samples).astype("<f4").tobytes())


def digits(x, n):
    """A measured number, rounded so that a fixture does not change with noise."""
    return float(f"{float(x):.{n - 1}e}")


def write_json(path, head, **tables):
    """Writes an object whose tables (objects or lists) have one entry a line, for people and diffs."""
    dump = lambda value: json.dumps(value, separators=(", ", ": "), ensure_ascii=True)
    parts = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines = [f"  {json.dumps(key)}: {dump(value)}" for key, value in table.items()]
            parts.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
        else:
            parts.append(f" {json.dumps(name)}: [\n" + ",\n".join(f"  {dump(value)}" for value in table) + "\n ]")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def write_tensors(path, tensors, made_with, slack=0.0):
    """Writes numpy arrays. With `slack` a committed file stays whose arrays are the new ones within it: decoders of lossy
    formats choose their kernels by processor, and no switch turns that off."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    tensors = {key: np.ascontiguousarray(tensors[key]) for key in sorted(tensors)}
    if slack and path.exists():
        old = load_file(path)
        same = old.keys() == tensors.keys() and all(old[k].shape == tensors[k].shape for k in old)
        moved = max(np.abs(old[k] - tensors[k]).max() for k in old) if same else np.inf
        if 0 < moved <= slack:
            print(f"  {path.name} stays: this processor's kernels move samples by {moved:.1e}, at most {slack} is allowed", file=sys.stderr)
            return
    # One entry: safetensors writes several in an order that changes from run to run.
    save_file(tensors, path, {"made_with": ", ".join(f"{name} {version}" for name, version in made_with.items())})
    path.chmod(0o644)
