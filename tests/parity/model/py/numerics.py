"""The reference's own number types: a bfloat16 policy whose log-probs, KL and summed gradients are bfloat16."""

import torch

from .checkpoints import load
from .common import write_tensors
from .digest import digest
from .training import advantages_of, parameters, logps_of, reference, rollouts, GROUP
from .terms import token_terms, trl_loss


def make(waves):
    """Writes numerics.safetensors: per question what trl computes, and the gradient after both, added up in bfloat16."""
    dtype = torch.bfloat16
    model, proc = load("bf16", dtype)
    ref = reference("bf16", dtype)
    batch = rollouts(proc, waves)
    out, params = {}, parameters(model)
    for i, (prompt, ids, mask, rewards) in enumerate(batch):
        with torch.no_grad():
            ref_logps = logps_of(ref, prompt, ids, mask)
        logps = logps_of(model, prompt, ids, mask)
        assert logps.dtype == dtype
        # Rewards are float32 in the reference, and so are the advantages.
        loss, mean_kl = trl_loss(logps, ref_logps, advantages_of(rewards, GROUP), mask)
        kl, _ = token_terms(logps, ref_logps, advantages_of(rewards, GROUP), mask)
        (loss / len(batch)).backward()
        out |= {
            f"{i}.completion_ids": ids,
            f"{i}.completion_mask": mask,
            f"{i}.rewards": rewards,
            f"{i}.logps": logps * mask,
            f"{i}.ref_logps": ref_logps * mask,
            f"{i}.per_token_kl": kl * mask,
            f"{i}.loss": loss.float()[None],
            f"{i}.mean_kl": torch.tensor([mean_kl], dtype=torch.float32),
        }
    grads = [p.grad for p in params.values()]
    assert all(g.dtype == dtype for g in grads)
    out |= digest("grad", grads)
    # How far bfloat16 itself is from float32 over the same weights, in parts of each gradient's norm, worst tensor.
    wide, _ = load("bf16", torch.float32)
    wide_ref = reference("bf16", torch.bfloat16).float()
    total = 0
    for prompt, ids, mask, rewards in batch:
        with torch.no_grad():
            ref_logps = logps_of(wide_ref, prompt, ids, mask)
        loss, _ = trl_loss(logps_of(wide, prompt, ids, mask), ref_logps, advantages_of(rewards, GROUP), mask)
        total = total + loss / len(batch)
    exact = torch.autograd.grad(total, list(parameters(wide).values()))
    apart = [(g.float() - e).abs().max() / e.norm() for g, e in zip(grads, exact, strict=True)]
    out["rounding"] = torch.stack(apart).max()[None]
    write_tensors("numerics.safetensors", out)
