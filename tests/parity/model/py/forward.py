"""What the model sees and says: ids, features, embeddings, logits, greedy tokens."""

import logging

import torch
from transformers.models.qwen2 import modeling_qwen2

from . import clips as sounds
from .checkpoints import load
from .common import NEW_TOKENS, largest_error, two_digits, write_json, write_tensors

MARGIN = 1e-3  # between the best and the second logit at every greedy step: 100 times the float32 noise


def prompt(proc, case):
    """The rendered text of a case."""
    chat = sounds.conversation(case)
    return proc.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)


def encode(proc, cases, waves):
    """The processor's call for one case or a padded batch."""
    audios = [waves[name] for case in cases for name in sounds.CASES[case][0]]
    texts = [prompt(proc, case) for case in cases]
    return proc(text=texts, audios=audios, sampling_rate=sounds.RATE, padding=True, return_tensors="pt")


def greedy(model, batch, eos, penalty=1.0, tokens=NEW_TOKENS):
    """New ids [rows, n], and the margin of the best over the second processed logit at each step."""
    out = model.generate(
        **batch,
        max_new_tokens=tokens,
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_k=50,
        top_p=1.0,
        repetition_penalty=penalty,
        eos_token_id=eos,
        pad_token_id=model.generation_config.pad_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )
    best = torch.stack(out.scores, dim=1).topk(2, dim=-1).values
    return out.sequences[:, batch["input_ids"].shape[1] :], best[..., 0] - best[..., 1]


def audio_parts(model, batch):
    """Valid rows of the encoder's output and of the projector's, over all clips of the batch in order."""
    found = {}
    hooks = [
        model.audio_tower.register_forward_hook(lambda _m, _i, out: found.update(hidden=out.last_hidden_state)),
        model.multi_modal_projector.register_forward_hook(lambda _m, _i, out: found.update(embeddings=out)),
    ]
    out = model(**batch, output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    _, lengths = model.audio_tower._get_feat_extract_output_lengths(batch["feature_attention_mask"].sum(-1))
    valid = torch.arange(found["hidden"].shape[1])[None] < lengths[:, None]
    return found["hidden"][valid], found["embeddings"][valid], out


def check_greedy(name, ids, margins, tokenizer, reserved=True):
    """Greedy tokens are worth comparing: full length, varied, no close call, no special token."""
    row = ids.tolist()
    what = f"{name}: {row}"
    assert len(row) == NEW_TOKENS, what
    assert len(set(row)) >= 12, f"not varied, {what}"
    assert margins.min() > MARGIN, f"margin {margins.min():.2e}, {what}"
    if reserved:
        assert not set(row) & set(tokenizer.all_special_ids), f"special token, {what}"


def inputs(proc, waves):
    """Ids and features, the same for every checkpoint because processor and tokenizer are."""
    tensors, table = {}, []
    for name, samples in waves.items():
        feats = proc.feature_extractor(
            samples, sampling_rate=sounds.RATE, return_attention_mask=True, padding="max_length", return_tensors="pt"
        )
        mel, frames = feats["input_features"][0], int(feats["attention_mask"].sum())
        keep = frames + 4
        assert mel.shape == (128, 3000) and (mel[:, keep:] == mel[0, -1]).all()
        tensors[f"clip.{name}.input_features"] = mel[:, :keep]
        tensors[f"clip.{name}.pad_value"] = mel[0, -1:]
        tensors[f"clip.{name}.frames"] = torch.tensor([frames])
    for case, (names, text) in sounds.CASES.items():
        batch = encode(proc, [case], waves)
        ids = batch["input_ids"][0]
        tensors[f"{case}.input_ids"] = ids
        audio_id = proc.tokenizer.convert_tokens_to_ids("<|AUDIO|>")
        table.append(
            {
                "name": case,
                "clips": names,
                "text": text,
                "prompt": prompt(proc, case),
                "prompt_tokens": len(ids),
                "audio_tokens": int((ids == audio_id).sum()),
                "frames": batch["feature_attention_mask"].sum(-1).tolist(),
            }
        )
    batch = encode(proc, list(sounds.CASES), waves)
    tensors["batch.input_ids"], tensors["batch.attention_mask"] = batch["input_ids"], batch["attention_mask"]
    assert (batch["attention_mask"][:, -1] == 1).all() and (batch["attention_mask"][:, 0] == 0).any()
    tok = proc.tokenizer
    special = {text: tok.convert_tokens_to_ids(text) for text in tok.all_special_tokens}
    write_tensors("inputs.safetensors", tensors)
    write_json("cases.json", {"cases": table, "batch": list(sounds.CASES), "special_tokens": special})


class Double:
    """Within it, RMSNorm stays in float64 (transformers rounds it to float32 whatever the model's dtype is)."""

    def __enter__(self):
        self.original = modeling_qwen2.Qwen2RMSNorm.forward

        def forward(norm, x):
            return norm.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon))

        modeling_qwen2.Qwen2RMSNorm.forward = forward

    def __exit__(self, *_):
        modeling_qwen2.Qwen2RMSNorm.forward = self.original


@torch.no_grad()
def float32(name, waves):
    """Fixture of a float32 checkpoint; returns the tensors and the measured rounding errors."""
    model, proc = load(name)
    tok, eos = proc.tokenizer, [proc.tokenizer.pad_token_id, proc.tokenizer.eos_token_id]
    out, noise, largest = {}, {"audio_embeddings": 0.0, "logits": 0.0}, 0.0
    exact, _ = load(name, torch.float64)
    for case in sounds.CASES:
        batch = encode(proc, [case], waves)
        hidden, embeddings, result = audio_parts(model, batch)
        logits = result.logits[0]
        out[f"{case}.audio_hidden"], out[f"{case}.audio_embeddings"] = hidden, embeddings
        out[f"{case}.logits"] = logits[-1]
        largest = max(largest, logits.abs().max().item())
        with Double():
            _, exact_embeddings, exact_result = audio_parts(exact, batch)
        noise["audio_embeddings"] = max(noise["audio_embeddings"], largest_error(embeddings, exact_embeddings))
        noise["logits"] = max(noise["logits"], largest_error(logits, exact_result.logits[0]))
        if case == "odd":
            out["odd.full_logits"] = logits
            out["odd.hidden_states"] = torch.cat(result.hidden_states)
        ids, margins = greedy(model, batch, eos)
        check_greedy(f"{name} {case}", ids[0], margins[0], tok)
        out[f"{case}.greedy_ids"], out[f"{case}.greedy_margin"] = ids[0], margins[0]
        ids, margins = greedy(model, batch, eos, penalty=1.1)
        check_greedy(f"{name} {case} penalty", ids[0], margins[0], tok)
        out[f"{case}.penalty_ids"], out[f"{case}.penalty_margin"] = ids[0], margins[0]
    silent = encode(proc, ["one"], waves | {"one": waves["one"] * 0})
    assert largest_error(model(**silent).logits[0, -1], out["one.logits"]) > 0.1, "the audio is not heard"

    cases = list(sounds.CASES)
    batch = encode(proc, cases, waves)
    ids, _ = greedy(model, batch, eos)
    alone = torch.stack([out[f"{case}.greedy_ids"] for case in cases])
    assert torch.equal(ids, alone), f"{name}: the batch differs from its rows alone"
    out["batch.greedy_ids"] = ids
    position_ids = (batch["attention_mask"].cumsum(-1) - 1).masked_fill(batch["attention_mask"] == 0, 1)
    out["batch.logits"] = model(**batch, position_ids=position_ids).logits[:, -1]
    alone_logits = torch.stack([out[f"{case}.logits"] for case in cases])
    noise["batch_logits"] = largest_error(out["batch.logits"], alone_logits)
    noise["batch_logits_without_position_ids"] = largest_error(model(**batch).logits[:, -1], alone_logits)

    row = out["one.greedy_ids"].tolist()
    stop = next(token for i, token in enumerate(row) if i >= 6 and row.index(token) == i)
    out["stop.eos_ids"] = torch.tensor([eos[0], stop])
    out["stop.one_ids"] = greedy(model, encode(proc, ["one"], waves), [eos[0], stop])[0][0]
    out["stop.batch_ids"] = greedy(model, batch, [eos[0], stop])[0]
    assert out["stop.one_ids"].tolist() == row[: row.index(stop) + 1]
    noise["largest_logit"] = largest
    noise["smallest_margin"] = min(margin.min().item() for key, margin in out.items() if key.endswith("margin"))
    return out, {key: two_digits(value) for key, value in noise.items()}


@torch.no_grad()
def bfloat16(waves):
    """Fixture of the bfloat16 checkpoint. Its greedy ids hold only up to the first narrow margin."""
    model, proc = load("bf16", torch.bfloat16)
    wide, _ = load("bf16", torch.float32)
    eos = [proc.tokenizer.pad_token_id, proc.tokenizer.eos_token_id]
    out, noise, largest = {}, {"audio_embeddings": 0.0, "logits": 0.0}, 0.0
    for case in sounds.CASES:
        batch = encode(proc, [case], waves)
        hidden, embeddings, result = audio_parts(model, batch)
        _, wide_embeddings, wide_result = audio_parts(wide, batch)
        out[f"{case}.audio_hidden"], out[f"{case}.audio_embeddings"] = hidden, embeddings
        out[f"{case}.logits"] = result.logits[0, -1]
        out[f"{case}.float32_logits"] = wide_result.logits[0, -1]
        noise["audio_embeddings"] = max(noise["audio_embeddings"], largest_error(embeddings, wide_embeddings))
        noise["logits"] = max(noise["logits"], largest_error(result.logits, wide_result.logits))
        largest = max(largest, wide_result.logits.abs().max().item())
        if case == "odd":
            out["odd.full_logits"] = result.logits[0]
        ids, margins = greedy(model, batch, eos)
        out[f"{case}.greedy_ids"], out[f"{case}.greedy_margin"] = ids[0], margins[0]
    noise["largest_logit"] = largest
    return out, {key: two_digits(value) for key, value in noise.items()}


def make(waves):
    """Writes inputs and forward fixtures; returns measured errors by file."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    _, proc = load("mha")
    inputs(proc, waves)
    errors = {}
    for name in ["mha", "gqa", "tied"]:
        tensors, errors[name] = float32(name, waves)
        write_tensors(f"forward-{name}.safetensors", tensors)
    tensors, errors["bf16"] = bfloat16(waves)
    write_tensors("forward-bf16.safetensors", tensors)
    return errors
