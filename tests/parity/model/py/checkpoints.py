"""Tiny random Qwen2-Audio checkpoints in Hugging Face layout."""

import inspect
import json
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GenerationConfig,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

from . import tokenizer as bpe
from .common import CHECKPOINTS, normals

VOCAB = 384  # rows of the embedding; the tokenizer has fewer, as in the published model
# The first seeds from 0 up for which every condition that forward.py asserts holds.
SEEDS = {"mha": 0, "gqa": 15, "tied": 0}
TEXT = {
    "mha": dict(num_key_value_heads=4, rms_norm_eps=1e-5),
    "gqa": dict(num_key_value_heads=2, rope_theta=1000000.0),
    "tied": dict(num_key_value_heads=1, tie_word_embeddings=True, num_hidden_layers=3),
}
AUDIO = {
    "mha": dict(d_model=32, encoder_layers=2, encoder_ffn_dim=64),
    "gqa": dict(d_model=16, encoder_layers=2, encoder_ffn_dim=48),
    "tied": dict(d_model=16, encoder_layers=1, encoder_ffn_dim=32),
}


def config(name, tokenizer):
    """The configuration of a checkpoint; what is not named here is transformers' default."""
    text = dict(
        model_type="qwen2",
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        bos_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    audio = dict(model_type="qwen2_audio_encoder", encoder_attention_heads=2)
    return Qwen2AudioConfig(
        audio_config=audio | AUDIO[name],
        text_config=text | TEXT[name],
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )


def initialise(model, seed, special):
    """Random weights that make logits spread: no zero bias, no unit norm weight, attention that depends on position.

    Special tokens get small output rows: generation seldom ends by chance.
    """
    draw = normals(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = draw(*p.shape)
            if name.endswith("embed_positions.weight"):
                p.copy_(0.3 * noise)
            elif name.endswith("norm.weight") or name.endswith("layernorm.weight"):
                p.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                p.copy_(0.15 * noise)
            elif "q_proj" in name or "k_proj" in name:
                p.copy_(0.3 * noise)
            elif "conv1" in name:
                p.copy_(0.06 * noise)
            else:
                p.copy_(0.22 * noise)
        model.language_model.lm_head.weight[special] *= 0.1


def processor(tokenizer):
    """Feature extractor as published for Qwen2-Audio, with the small tokenizer."""
    extractor = WhisperFeatureExtractor(
        feature_size=128, sampling_rate=16000, hop_length=160, chunk_length=30, n_fft=400, return_attention_mask=True
    )
    return Qwen2AudioProcessor(extractor, tokenizer)


def generation(name, tokenizer):
    """generation_config.json: the published sampling settings for `mha`, a single eos for `tied`."""
    both = [tokenizer.pad_token_id, tokenizer.eos_token_id]
    if name == "tied":
        return GenerationConfig(eos_token_id=both[1], pad_token_id=both[0])
    return GenerationConfig(
        eos_token_id=both,
        pad_token_id=both[0],
        do_sample=True,
        repetition_penalty=1.1,
        temperature=0.7,
        top_k=20,
        top_p=0.5,
    )


def build(name, seed, tokenizer):
    """A float32 model in eval mode."""
    model = Qwen2AudioForConditionalGeneration(config(name, tokenizer)).eval()
    model.tie_weights()
    initialise(model, seed, sorted(tokenizer.all_special_ids))
    model.generation_config = generation(name, tokenizer)
    return model


def save(model, proc, folder, shard):
    """Saves model and processor as transformers does."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=shard)
    proc.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)


def own_values(cfg):
    """Every value of a configuration that its own class declares, defaults included."""
    names = [name for name in inspect.signature(type(cfg).__init__).parameters if name not in ("self", "kwargs")]
    inherited = [name for name in ("bos_token_id", "eos_token_id") if getattr(cfg, name) is not None]
    return {"model_type": cfg.model_type} | {name: getattr(cfg, name) for name in names + inherited}


def write_v5(source, folder):
    """The same weights as transformers 5 names them in memory, with the files that 5 writes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tensors = {}
    for file in sorted(source.glob("*.safetensors")):
        tensors |= load_file(file)
    renamed = {}
    for name, tensor in tensors.items():
        if name.startswith("language_model.lm_head."):
            name = name.removeprefix("language_model.")
        elif name.startswith("language_model.model."):
            name = "model.language_model." + name.removeprefix("language_model.model.")
        else:
            name = "model." + name
        renamed[name] = tensor
    save_file({k: renamed[k] for k in sorted(renamed)}, folder / "model.safetensors", metadata={"format": "pt"})

    def read(file):
        return json.loads((source / file).read_text(encoding="utf-8"))

    def write(file, value):
        (folder / file).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    cfg = Qwen2AudioConfig.from_pretrained(source)
    text, audio = own_values(cfg.text_config), own_values(cfg.audio_config)
    text["dtype"] = audio["dtype"] = "float32"
    del text["rope_scaling"]
    text["rope_parameters"] = {"rope_theta": text.pop("rope_theta"), "rope_type": "default"}
    write(
        "config.json",
        {
            "architectures": ["Qwen2AudioForConditionalGeneration"],
            "audio_config": audio,
            "audio_token_index": cfg.audio_token_index,
            "dtype": "float32",
            "model_type": "qwen2_audio",
            "text_config": text,
            "tie_word_embeddings": False,
            "transformers_version": "5.0.0",
        },
    )
    extractor = read("preprocessor_config.json")
    extractor.pop("processor_class", None)
    write("processor_config.json", {"feature_extractor": extractor, "processor_class": "Qwen2AudioProcessor"})
    (folder / "chat_template.jinja").write_text(read("chat_template.json")["chat_template"], encoding="utf-8")
    for file in ["generation_config.json", "tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(source / file, folder / file)


def make():
    """Writes the five checkpoints."""
    tok = bpe.build()
    for name in ["mha", "gqa", "tied"]:
        model = build(name, SEEDS[name], tok)
        save(model, processor(tok), CHECKPOINTS / name, "100KB" if name == "gqa" else "5GB")
        if name == "gqa":
            save(model.to(torch.bfloat16), processor(tok), CHECKPOINTS / "bf16", "50KB")
    # A checkpoint without a chat template gets Qwen2-Audio's own.
    (CHECKPOINTS / "tied" / "chat_template.json").unlink()
    write_v5(CHECKPOINTS / "gqa", CHECKPOINTS / "v5")


def load(name, dtype=torch.float32):
    """A checkpoint read back by transformers, with its processor."""
    folder = CHECKPOINTS / name
    model = Qwen2AudioForConditionalGeneration.from_pretrained(folder, torch_dtype=dtype).eval()
    return model, Qwen2AudioProcessor.from_pretrained(folder)
