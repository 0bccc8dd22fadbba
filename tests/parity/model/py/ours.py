"""What the Rust program wrote (ours/, held to these bytes by tests/parity_checkpoint.rs), read by transformers and peft."""

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

from .checkpoints import load
from .common import ROOT, write_tensors
from .forward import encode

OURS = ROOT / "ours"


def read(name):
    """A model that transformers finds whole, and its processor."""
    model, info = Qwen2AudioForConditionalGeneration.from_pretrained(OURS / name, output_loading_info=True)
    assert not any(info.values()), f"{name}: {info}"
    return model.eval(), Qwen2AudioProcessor.from_pretrained(OURS / name)


def make(waves):
    """Writes ours.safetensors: the logits after the case `odd`, and for the checkpoint from a seed its ids."""
    out = {}

    def logits(model, proc):
        batch = encode(proc, ["odd"], waves)
        with torch.no_grad():
            return batch["input_ids"][0], model(**batch).logits[0, -1]

    _, out["gqa.logits"] = logits(*read("gqa"))
    model, proc = read("init")
    assert (proc.tokenizer.eos_token, proc.tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert model.generation_config.eos_token_id == [proc.tokenizer.pad_token_id, proc.tokenizer.eos_token_id]
    out["init.input_ids"], out["init.logits"] = logits(model, proc)

    base, proc = load("gqa")
    adapted = PeftModel.from_pretrained(base, OURS / "adapter").eval()
    wanted = load_file(ROOT / "adapters" / "gqa" / "adapter_model.safetensors")
    state = {k.replace(".default.", "."): v for k, v in adapted.state_dict().items() if ".lora_" in k}
    assert state.keys() == wanted.keys() and all(torch.equal(state[k], wanted[k]) for k in wanted)
    _, out["adapter.logits"] = logits(adapted, proc)
    write_tensors("ours.safetensors", out)
