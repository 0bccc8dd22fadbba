"""LoRA as peft 0.14.0 does it: forward, gradients, one update, merge."""

import copy
import json
import shutil

import torch
from peft import LoraConfig, get_peft_model

from .checkpoints import load
from .common import ROOT, largest_error, normals, two_digits, write_json, write_tensors
from .forward import Double, encode
from .training import SFT, grpo_loss, logps_of, reference, rollouts

ADAPTERS = ROOT / "adapters"
# Suffixes as peft matches them: both towers have a q_proj and a v_proj.
TARGETS = ["q_proj", "v_proj", "fc1", "down_proj", "multi_modal_projector.linear", "lm_head"]
RANK, ALPHA = 4, 6
PREFIX = "base_model.model."


def config(targets):
    """No dropout, no bias, no rank-stabilised scaling: what a recipe's `lora` says."""
    return LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, lora_dropout=0.0, bias="none")


def adapters(model):
    """Trainable tensors by name, sorted, as peft writes them: without the adapter's own name."""
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert all(".lora_A." in n or ".lora_B." in n for n in named)
    return {n.replace(".default.", "."): named[n] for n in sorted(named)}


def build(name, dtype):
    """A checkpoint with adapters of which neither half is zero, so that a gradient flows to both."""
    base, proc = load(name, dtype)
    model = get_peft_model(base, config(TARGETS)).eval()
    draw = normals(11)
    with torch.no_grad():
        for p in adapters(model).values():
            assert p.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype), "peft trains adapters in float32"
            p.copy_(0.2 * draw(*p.shape))
    return model, proc


def sft_loss(model, proc, waves):
    """Mean over the target tokens of both samples."""
    total, count = 0, 0
    for case, target in SFT:
        ids = torch.tensor([proc.tokenizer(target).input_ids])
        total = total - logps_of(model, encode(proc, [case], waves), ids, torch.ones_like(ids)).sum()
        count += ids.numel()
    return total / count


def run(name, waves, dtype):
    """Everything of one checkpoint in one dtype; losses are of the policy with adapters against `training.reference`."""
    model, proc = build(name, dtype)
    out = {f"initial.{key}": p.detach().clone() for key, p in adapters(model).items()}

    def logits(m, case):
        batch = encode(proc, [case], waves)
        batch["input_features"] = batch["input_features"].to(dtype)
        with torch.no_grad():
            return m(**batch).logits[0, -1]

    for case in ["odd", "one"]:
        out[f"{case}.logits"] = logits(model, case)
        with model.disable_adapter():
            out[f"{case}.base_logits"] = logits(model, case)
    batch = rollouts(proc, waves)
    with torch.no_grad():
        ref = reference(name, dtype)
        ref_logps = [logps_of(ref, *rollout[:3]) for rollout in batch]
    params = adapters(model)

    def grads(loss):
        return dict(zip(params, torch.autograd.grad(loss, list(params.values())), strict=True))

    sft = sft_loss(model, proc, waves)
    out["sft.loss"] = sft[None]
    out |= {f"sft.grad.{key}": g for key, g in grads(sft).items()}
    terms = grpo_loss(model, ref_logps, batch)
    loss = sum(term[3] for term in terms) / len(terms)
    out["grpo.loss"] = loss[None]
    found = grads(loss)
    out |= {f"grpo.grad.{key}": g for key, g in found.items()}

    optimizer = torch.optim.AdamW(list(params.values()), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    for key, p in params.items():
        p.grad = found[key].clone()
    out["update.grad_norm"] = torch.nn.utils.clip_grad_norm_(params.values(), 1.0)[None]
    optimizer.step()
    out |= {f"update.{key}": p.detach().clone() for key, p in params.items()}

    if dtype != torch.float64:
        folder = ADAPTERS / name
        shutil.rmtree(folder, ignore_errors=True)
        before = copy.deepcopy({key: p.detach() for key, p in params.items()})
        with torch.no_grad():
            for key, p in params.items():
                p.copy_(out[f"initial.{key}"])
        model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
        # The order of a set, and the path of the base, differ from run to run.
        saved = json.loads((folder / "adapter_config.json").read_text())
        saved |= {"base_model_name_or_path": None, "target_modules": sorted(saved["target_modules"])}
        (folder / "adapter_config.json").write_text(json.dumps(saved, indent=2) + "\n")
        for file in folder.iterdir():
            file.chmod(0o644)
        with torch.no_grad():
            for key, p in params.items():
                p.copy_(before[key])
    merged = model.merge_and_unload()
    weights = dict(merged.named_parameters())
    modules = sorted({key.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for key in params})
    out |= {f"merged.{module}": weights[f"{module}.weight"] for module in modules}
    out["merged.odd.logits"] = logits(merged, "odd")
    return out, modules


def make(waves):
    """Writes lora-*.safetensors, lora.json and adapters/; returns how far float32 is from float64."""
    errors = {}
    modules = None
    for name in ["gqa", "bf16"]:
        dtype = torch.bfloat16 if name == "bf16" else torch.float32
        out, modules = run(name, waves, dtype)
        if name == "gqa":
            with Double():
                exact, _ = run(name, waves, torch.float64)
            relative = {
                key: largest_error(g, exact[key]) / exact[key].abs().max() for key, g in out.items() if ".grad." in key
            }
            errors = {
                "logits": largest_error(out["odd.logits"], exact["odd.logits"]),
                "gradient, relative to the tensor's largest": max(relative.values()),
                "update": max(largest_error(out[key], exact[key]) for key in out if key.startswith("update.base")),
                "merged": max(largest_error(out[key], exact[key]) for key in out if key.startswith("merged.")),
            }
            errors = {key: two_digits(value) for key, value in errors.items()}
        write_tensors(f"lora-{name}.safetensors", out)
    base, _ = load("gqa")
    linear = sorted(get_peft_model(base, config("all-linear")).targeted_module_names)
    value = {"rank": RANK, "alpha": ALPHA, "targets": TARGETS, "modules": modules, "all-linear": linear}
    write_json("lora.json", value)
    return errors
