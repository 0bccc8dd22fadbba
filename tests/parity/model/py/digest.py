"""Whole tensors, told in a few numbers each."""

import torch


def digest(prefix, named):
    """For tensors in order: norm, a weighted sum that no permutation survives, the head, and the largest entries.

    The weight of the flat entry i is cos(i). Everything is computed and stored in float64.
    """
    norm, moment, head, top_index, top_value = [], [], [], [], []
    for tensor in named:
        flat = tensor.detach().double().flatten()
        norm.append(flat.norm())
        moment.append((flat * torch.cos(torch.arange(flat.numel(), dtype=torch.float64))).sum())
        head.append(flat[:8])
        index = flat.abs().argsort(descending=True, stable=True)[:8]
        top_index.append(index)
        top_value.append(flat[index])
    return {
        f"{prefix}.norm": torch.stack(norm),
        f"{prefix}.moment": torch.stack(moment),
        f"{prefix}.head": torch.stack(head),
        f"{prefix}.top_index": torch.stack(top_index),
        f"{prefix}.top_value": torch.stack(top_value),
    }
