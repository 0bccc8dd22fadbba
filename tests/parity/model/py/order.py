"""The order in which the reference trainer visits its samples."""

import hashlib

import torch

from .common import write_json


def make():
    """Writes order.json: the head and a hash of randperm(N) under manual_seed(42 + epoch)."""
    table = []
    for n in [1, 73, 1600, 38000, 40425]:
        for epoch in range(3):
            torch.manual_seed(42 + epoch)
            perm = torch.randperm(n)
            digest = hashlib.sha256(perm.numpy().astype("<i8").tobytes()).hexdigest()
            table.append({"n": n, "epoch": epoch, "seed": 42 + epoch, "first": perm[:16].tolist(), "sha256": digest})
    by = {(row["n"], row["epoch"]): row["first"] for row in table}
    assert by[38000, 0][:8] == [21542, 100, 21798, 16619, 24998, 20020, 12670, 26228]
    assert by[40425, 0][:8] == [5517, 2524, 38379, 21637, 25492, 31180, 4360, 21117]
    write_json("order.json", table)
