"""One GRPO batch and one SFT batch through the whole model: log-probs, loss, gradients, five updates."""

import torch
from transformers import get_linear_schedule_with_warmup
from trl.trainer.utils import selective_log_softmax

from . import clips as sounds
from .checkpoints import load
from .common import largest_error, two_digits, write_json, write_tensors
from .digest import digest
from .forward import Double, encode
from .terms import BETA, advantages_of, completion_mask_of, token_terms, trl_loss

REFERENCE_SCALE = 0.98
LIMIT = 12  # max_new_tokens of the rollout
GROUP = 4
# Completions as texts; each is cut to LIMIT tokens. Rewards are given, not computed.
QUESTIONS = [
    {
        "case": "half",
        "completions": ["<answer>a</answer><|im_end|>", "<|im_end|>", "no end in sight here", "dog<|im_end|>"],
        "rewards": [2.0, 0.0, 0.0, 1.0],
    },
    {
        "case": "one",
        "completions": ["é日<|im_end|>", "What the answer<|im_end|>", "a b c d e f g<|im_end|>", "12<|im_end|>"],
        "rewards": [1.0, 1.0, 1.0, 1.0],
    },
]
SFT = [("half", "<answer>a cat's cry</answer><|im_end|>"), ("long", "5<|im_end|>")]
SMALL = [
    "audio_tower.conv1.bias",
    "audio_tower.layer_norm.weight",
    "audio_tower.layers.0.self_attn.q_proj.bias",
    "multi_modal_projector.linear.bias",
    "language_model.model.layers.0.self_attn.k_proj.bias",
    "language_model.model.layers.1.input_layernorm.weight",
    "language_model.model.norm.weight",
]


def rollouts(proc, waves):
    """For each question: the processor's batch of one prompt, completion ids padded right, mask, rewards."""
    tok, out = proc.tokenizer, []
    for question in QUESTIONS:
        ids = [tok(text).input_ids[:LIMIT] for text in question["completions"]]
        width = max(map(len, ids))
        padded = torch.tensor([row + [tok.pad_token_id] * (width - len(row)) for row in ids])
        mask = completion_mask_of(padded, tok.eos_token_id)
        assert mask.sum(1).tolist() == [len(row) for row in ids]
        out.append((encode(proc, [question["case"]], waves), padded, mask, torch.tensor(question["rewards"])))
    lengths = [rollout[2].sum(1).tolist() for rollout in out]
    assert lengths[0][1] == 1 and lengths[0][2] == LIMIT and len(set(lengths[0])) == 4
    return out


def logps_of(model, prompt, completion_ids, mask):
    """Teacher-forced log-probs [G, C] as the R1-AQA trainer takes them: no temperature, positions from 0, audio repeated."""
    rows = len(completion_ids)
    prompt_ids = prompt["input_ids"].repeat_interleave(rows, dim=0)
    prompt_mask = prompt["attention_mask"].repeat_interleave(rows, dim=0)
    dtype = model.audio_tower.conv1.weight.dtype
    logits = model(
        input_ids=torch.cat([prompt_ids, completion_ids], dim=1),
        attention_mask=torch.cat([prompt_mask, mask], dim=1),
        input_features=prompt["input_features"].to(dtype).repeat_interleave(rows, dim=0),
        feature_attention_mask=prompt["feature_attention_mask"].repeat_interleave(rows, dim=0),
    ).logits
    logits = logits[:, :-1][:, -completion_ids.shape[1] :]
    return selective_log_softmax(logits, completion_ids)


def grpo_loss(model, ref_logps, batch):
    """Per question (logps, kl, advantages, loss, mean kl, scale); the batch's loss is the mean over questions."""
    out = []
    for (prompt, ids, mask, rewards), ref in zip(batch, ref_logps, strict=True):
        logps = logps_of(model, prompt, ids, mask)
        advantages = advantages_of(rewards.to(logps.dtype), GROUP)
        loss, kl = trl_loss(logps, ref, advantages, mask)
        per_token_kl, scale = token_terms(logps, ref, advantages, mask)
        out.append((logps, per_token_kl, advantages, loss, kl, scale))
    return out


def sft_sums(model, proc, waves):
    """Per sample the summed cross-entropy of the target's tokens, and their number."""
    out = []
    for case, target in SFT:
        prompt = encode(proc, [case], waves)
        ids = torch.tensor([proc.tokenizer(target).input_ids])
        logps = logps_of(model, prompt, ids, torch.ones_like(ids))
        out.append((-logps.sum(), ids.numel()))
    return out


def check_sft_is_forward_loss(model, proc, waves):
    """The mean over a sample's target tokens is what the model's own forward(labels=...) returns."""
    case, target = SFT[0]
    prompt = encode(proc, [case], waves)
    ids = torch.tensor([proc.tokenizer(target).input_ids])
    labels = torch.cat([torch.full_like(prompt["input_ids"], -100), ids], dim=1)
    loss = model(
        input_ids=torch.cat([prompt["input_ids"], ids], dim=1),
        attention_mask=torch.cat([prompt["attention_mask"], torch.ones_like(ids)], dim=1),
        input_features=prompt["input_features"],
        feature_attention_mask=prompt["feature_attention_mask"],
        labels=labels,
    ).loss
    (total, count), _ = sft_sums(model, proc, waves)
    assert abs(loss.item() - total.item() / count) < 1e-5


def parameters(model):
    """Trainable parameters by name, sorted; all but the fixed positions of the encoder."""
    named = dict(sorted(model.named_parameters()))
    assert [n for n, p in named.items() if not p.requires_grad] == ["audio_tower.embed_positions.weight"]
    return {n: p for n, p in named.items() if p.requires_grad}


def gradients(model, loss, keep=False):
    """Gradients in the order of `parameters`; every parameter takes part. `keep` the graph for another loss."""
    params = parameters(model)
    return dict(zip(params, torch.autograd.grad(loss, list(params.values()), retain_graph=keep), strict=True))


def reference(name, dtype):
    """The frozen reference policy: every tensor but the encoder's positions times REFERENCE_SCALE, in float32."""
    model, _ = load(name)
    with torch.no_grad():
        for p in parameters(model).values():
            p.mul_(REFERENCE_SCALE)
    return model.to(dtype)


def run(name, waves, dtype):
    """Everything of one checkpoint in one dtype."""
    model, proc = load(name, dtype)
    batch = rollouts(proc, waves)
    with torch.no_grad():
        ref = reference(name, dtype)
        ref_logps = [logps_of(ref, *rollout[:3]) for rollout in batch]
    out = {}
    terms = grpo_loss(model, ref_logps, batch)
    for i, (logps, kl, advantages, loss, mean_kl, scale) in enumerate(terms):
        _, ids, mask, rewards = batch[i]
        out |= {
            f"grpo.{i}.completion_ids": ids,
            f"grpo.{i}.completion_mask": mask,
            f"grpo.{i}.rewards": rewards,
            f"grpo.{i}.logps": logps * mask,
            f"grpo.{i}.ref_logps": ref_logps[i] * mask,
            f"grpo.{i}.per_token_kl": kl * mask,
            f"grpo.{i}.advantages": advantages,
            f"grpo.{i}.loss": loss[None],
            f"grpo.{i}.mean_kl": torch.tensor([mean_kl], dtype=dtype),
            f"grpo.{i}.scale": scale[None],
        }
    loss = sum(term[3] for term in terms) / len(terms)
    grads = gradients(model, loss)
    total = torch.stack([g.norm() for g in grads.values()]).norm()
    out |= {"grpo.loss": loss[None], "grpo.grad_norm": total[None]}
    out |= digest("grpo.grad", grads.values())
    out |= {f"grpo.grad.full.{key}": grads[key] for key in SMALL}

    if dtype == torch.float32:
        check_sft_is_forward_loss(model, proc, waves)
    sums = sft_sums(model, proc, waves)
    out["sft.sums"] = torch.stack([total for total, _ in sums])
    out["sft.tokens"] = torch.tensor([count for _, count in sums])
    losses = {
        "token_mean": sum(t for t, _ in sums) / sum(c for _, c in sums),
        "sample_mean": sum(t / c for t, c in sums) / len(sums),
    }
    for kind, loss in losses.items():
        sft = gradients(model, loss, keep=True)
        out |= {f"sft.{kind}.loss": loss[None]}
        out |= {f"sft.{kind}.grad_norm": torch.stack([g.norm() for g in sft.values()]).norm()[None]}
        out |= digest(f"sft.{kind}.grad", sft.values())
    return out, updates(model, ref_logps, batch), grads


def updates(model, ref_logps, batch):
    """Five updates on the same rollouts: AdamW 1e-3, clip 1.0, linear schedule over 5 steps."""
    params = parameters(model)
    optimizer = torch.optim.AdamW(list(params.values()), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, 5)
    out, losses, norms, rates = {}, [], [], []
    for step in range(5):
        optimizer.zero_grad()
        terms = grpo_loss(model, ref_logps, batch)
        loss = sum(term[3] for term in terms) / len(terms)
        loss.backward()
        losses.append(loss.detach())
        norms.append(torch.nn.utils.clip_grad_norm_(params.values(), 1.0))
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        if step in (0, 4):
            out |= digest(f"steps.{step}.param", params.values())
    out["steps.loss"], out["steps.grad_norm"] = torch.stack(losses), torch.stack(norms)
    out["steps.lr"] = torch.tensor(rates, dtype=torch.float64)
    return out


def make(waves):
    """Writes train-*.safetensors and train.json; returns how far float32 is from float64."""
    errors, names = {}, {}
    for name in ["mha", "gqa"]:
        out, steps, grads = run(name, waves, torch.float32)
        with Double():
            exact, exact_steps, exact_grads = run(name, waves, torch.float64)
        assert all((kl >= -1e-6).all() for key, kl in out.items() if key.endswith("per_token_kl"))
        relative = {key: largest_error(g, exact_grads[key]) / exact_grads[key].abs().max() for key, g in grads.items()}
        errors[name] = {
            "logps": max(largest_error(out[f"grpo.{i}.logps"], exact[f"grpo.{i}.logps"]) for i in range(2)),
            "loss": largest_error(out["grpo.loss"], exact["grpo.loss"]),
            "gradient, relative to the tensor's largest": max(relative.values()),
            "worst tensor": max(relative, key=relative.get),
            "smallest gradient norm": out["grpo.grad.norm"].min(),
            "grad_norm, relative": abs(out["grpo.grad_norm"] / exact["grpo.grad_norm"] - 1),
            "sft loss": largest_error(out["sft.sums"], exact["sft.sums"]),
            "parameters after 5 steps, head": largest_error(steps["steps.4.param.head"], exact_steps["steps.4.param.head"]),
            "parameters after 5 steps, norm": largest_error(steps["steps.4.param.norm"], exact_steps["steps.4.param.norm"]),
        }
        errors[name] = {k: v if isinstance(v, str) else two_digits(v) for k, v in errors[name].items()}
        keep = ["grpo.loss", "grpo.grad_norm", "sft.token_mean.loss", "sft.sample_mean.loss"]
        out |= {f"float64.{key}": exact[key] for key in keep + [f"grpo.{i}.logps" for i in range(2)]}
        write_tensors(f"train-{name}.safetensors", out | steps)
        names[name] = list(grads)
    value = {
        "beta": BETA,
        "reference_scale": REFERENCE_SCALE,
        "limit": LIMIT,
        "grpo": QUESTIONS,
        "sft": [{"case": case, "target": target} for case, target in SFT],
        "parameters": names,
        "full_gradients": SMALL,
    }
    write_json("train.json", value)
    return errors
