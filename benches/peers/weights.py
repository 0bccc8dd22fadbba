"""Random weights for a model that our worker wrote without them: `weights.py MODEL DEVICE [SEED]`, with torch, as fast as the device draws.

Names and shapes are those of the folder's weights.json, the number type is config.json's. Matrices are uniform in 1/sqrt(fan in), embeddings normal with deviation
0.02, norms 1, biases 0: nothing that a model would say, and everything that it computes.
"""

import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

#: Bytes of a file, as transformers cuts them.
SHARD = 5_000_000_000


def draw(name, shape, device, generator):
    """One parameter, float32."""
    if name.endswith("norm.weight"):
        return torch.ones(shape, device=device)
    if name.endswith(".bias"):
        return torch.zeros(shape, device=device)
    empty = torch.empty(shape, device=device)
    if "embed_" in name:
        return empty.normal_(0, 0.02, generator=generator)
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    return empty.uniform_(-bound, bound, generator=generator)


def main(folder, device, seed=1):
    """Writes the files and their index; the index comes last, so a folder with one is whole."""
    folder = Path(folder)
    shapes = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    dtype = getattr(torch, json.loads((folder / "config.json").read_text(encoding="utf-8"))["torch_dtype"])
    size = {name: math.prod(shape) * dtype.itemsize for name, shape in shapes}
    files, room = [[]], SHARD
    for name, shape in shapes:
        if files[-1] and size[name] > room:
            files.append([])
            room = SHARD
        files[-1].append((name, shape))
        room -= size[name]
    generator = torch.Generator(device).manual_seed(int(seed))
    places = {}
    for i, parameters in enumerate(files):
        file = f"model-{i + 1:05}-of-{len(files):05}.safetensors"
        drawn = {name: draw(name, shape, device, generator).to(dtype).cpu() for name, shape in parameters}
        save_file(drawn, folder / file, {"format": "pt"})
        places |= dict.fromkeys(drawn, file)
    index = {"metadata": {"total_size": sum(size.values())}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
