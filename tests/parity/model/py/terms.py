"""GRPO as a pure function of named tensors, and the optimizer's update from given gradients: no model in it."""

from collections import defaultdict
from types import SimpleNamespace

import torch
from transformers import get_linear_schedule_with_warmup
from trl import GRPOTrainer
from trl.trainer.utils import selective_log_softmax

from .common import integers, normals, write_tensors

BETA = 0.04
EPSILON = 1e-4


def advantages_of(rewards, group):
    """As in GRPOTrainer._prepare_inputs of trl 0.15.2, where they cannot be called apart from generation."""
    grouped = rewards.view(-1, group)
    mean = grouped.mean(dim=1).repeat_interleave(group, dim=0)
    std = grouped.std(dim=1).repeat_interleave(group, dim=0)
    return (rewards - mean) / (std + EPSILON)


def completion_mask_of(completion_ids, eos):
    """As in GRPOTrainer._prepare_inputs: up to and including the first eos."""
    is_eos = completion_ids == eos
    eos_idx = torch.full((is_eos.size(0),), is_eos.size(1), dtype=torch.long)
    eos_idx[is_eos.any(dim=1)] = is_eos.int().argmax(dim=1)[is_eos.any(dim=1)]
    return (torch.arange(is_eos.size(1)).expand(is_eos.size(0), -1) <= eos_idx.unsqueeze(1)).int()


def trl_loss(logps, ref_logps, advantages, mask):
    """GRPOTrainer.compute_loss itself, with the log-probs given; returns the loss and the mean KL that it logs."""
    accelerator = SimpleNamespace(gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        beta=BETA,
        accelerator=accelerator,
        _metrics=defaultdict(list),
        _get_per_token_logps=lambda *_: logps,
    )
    empty = mask[:, :0]
    inputs = dict(
        prompt_ids=empty,
        prompt_mask=empty,
        completion_ids=mask,
        completion_mask=mask,
        ref_per_token_logps=ref_logps,
        advantages=advantages,
    )
    loss = GRPOTrainer.compute_loss(trainer, None, inputs)
    return loss, trainer._metrics["kl"][0]


def token_terms(logps, ref_logps, advantages, mask):
    """KL per token, and the scale of rounding: the mean over completions of the mean of |A| + beta * KL."""
    kl = torch.exp(ref_logps - logps) - (ref_logps - logps) - 1
    terms = (advantages.abs()[:, None] + BETA * kl) * mask
    return kl, (terms.sum(1) / mask.sum(1)).mean()


def grpo():
    """Three groups of four over 12 tokens and 40 words: ordinary, zero variance, and completions of length 1."""
    draw, choose = normals(5), integers(6)
    rows, length, vocab, group, eos = 12, 12, 40, 4, 39
    logits = 3 * draw(rows, length, vocab, dtype=torch.float64)
    ref_logits = logits + 0.1 * draw(rows, length, vocab, dtype=torch.float64)
    ids = choose(eos, (rows, length))
    for row, end in enumerate([3, 11, 0, None, 5, 7, 1, 4, 0, 0, 0, 2]):
        if end is not None:
            ids[row, end:] = eos
            ids[row, end + 1 :] = 0
    rewards = torch.tensor([2.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    mask = completion_mask_of(ids, eos)
    out = {"completion_ids": ids, "completion_mask": mask, "rewards": rewards, "eos_id": torch.tensor([eos])}
    out["logits"], out["ref_logits"] = logits, ref_logits
    for name, dtype in [("float64", torch.float64), ("float32", torch.float32), ("bfloat16", torch.bfloat16)]:
        x = logits.to(dtype).requires_grad_()
        logps = selective_log_softmax(x, ids)
        with torch.no_grad():
            ref_logps = selective_log_softmax(ref_logits.to(dtype), ids)
        reward_dtype = torch.float64 if dtype == torch.float64 else torch.float32
        advantages = advantages_of(rewards.to(reward_dtype), group)
        loss, kl = trl_loss(logps, ref_logps, advantages, mask)
        (gradient,) = torch.autograd.grad(loss, x)
        per_token_kl, scale = token_terms(logps, ref_logps, advantages, mask)
        out |= {
            f"{name}.logps": logps,
            f"{name}.ref_logps": ref_logps,
            f"{name}.advantages": advantages,
            f"{name}.per_token_kl": per_token_kl,
            f"{name}.loss": loss[None],
            f"{name}.mean_kl": torch.tensor([kl], dtype=torch.float64),
            f"{name}.scale": scale[None],
        }
        if name == "float64":
            out["float64.logits_grad"] = gradient
    # eos 2 is the tokenizer's; 0 pads, and also ends generation (as <|endoftext|> does), but does not end the mask.
    ends = torch.tensor([[5, 2, 0, 0], [2, 0, 0, 0], [5, 5, 5, 5], [5, 0, 0, 0], [5, 2, 2, 5], [5, 5, 5, 2]])
    out |= {"ends.completion_ids": ends, "ends.eos_id": torch.tensor([2])}
    out["ends.completion_mask"] = completion_mask_of(ends, 2)
    write_tensors("grpo-terms.safetensors", out)


def update():
    """Five AdamW steps with clipping and the linear schedule from given gradients; float32, and bfloat16 with a float32 master."""
    shapes = {"a": (4, 3), "b": (5,), "c": (2, 2, 2)}
    steps, rate, max_norm = 5, 1e-3, 1.0
    out = {}
    for name, weight_dtype in [("float32", torch.float32), ("bfloat16", torch.bfloat16)]:
        draw = normals(3)
        weights = {key: draw(*shape).to(weight_dtype) for key, shape in shapes.items()}
        # float() copies nothing that is float32 already: clone, or clip and step would change what is kept for the fixture.
        master = {key: torch.nn.Parameter(value.float().clone()) for key, value in weights.items()}
        optimizer = torch.optim.AdamW(
            list(master.values()), lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
        )
        schedule = get_linear_schedule_with_warmup(optimizer, 0, steps)
        out |= {f"{name}.initial.{key}": value for key, value in weights.items()}
        for step in range(steps):
            # Alternately above and below the clip, one step with tiny gradients, one entry always zero.
            size = [3.0, 0.05, 1.0, 1e-9, 10.0][step]
            for key, p in master.items():
                grad = (size * draw(*p.shape)).to(weight_dtype)
                grad.view(-1)[0] = 0
                p.grad = grad.float().clone()
                out[f"{name}.{step}.grad.{key}"] = grad
            norm = torch.nn.utils.clip_grad_norm_(master.values(), max_norm)
            out[f"{name}.{step}.grad_norm"] = norm[None]
            out[f"{name}.{step}.lr"] = torch.tensor([schedule.get_last_lr()[0]], dtype=torch.float64)
            optimizer.step()
            schedule.step()
            for key, p in master.items():
                out[f"{name}.{step}.master.{key}"] = p.detach().clone()
                if weight_dtype != torch.float32:
                    out[f"{name}.{step}.weight.{key}"] = p.to(weight_dtype)
    write_tensors("update.safetensors", out)


def make():
    """Writes grpo-terms.safetensors and update.safetensors."""
    grpo()
    update()
