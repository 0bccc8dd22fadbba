"""The distribution that generate() samples from, made by the processors that generate() itself builds, in its order."""

import torch
from transformers import GenerationConfig, LogitsProcessorList

from .checkpoints import load
from .common import integers, normals, write_json, write_tensors

VOCAB = 64
SETTINGS = [
    # repetition_penalty, temperature, top_k, top_p
    (1.3, 0.7, 20, 0.5),
    (1.1, 0.7, 20, 0.5),  # Qwen2-Audio's generation_config
    (1.0, 1.0, 50, 1.0),  # R1-AQA's rollouts
    (1.0, 1.0, 0, 1.0),
    (1.3, 1.0, 0, 1.0),
    (0.8, 1.0, 0, 1.0),
    (1.0, 0.25, 0, 1.0),
    (1.0, 3.0, 0, 1.0),
    (1.0, 1.0, 1, 1.0),
    (1.0, 1.0, 5, 1.0),
    (1.0, 1.0, 1000, 1.0),
    (1.0, 1.0, 0, 0.9),
    (1.0, 1.0, 0, 0.5),
    (1.0, 1.0, 0, 1e-6),
    (1.2, 1.5, 8, 0.75),
]


def rows():
    """Logit rows by name, and the ids that each row has seen (prompt and so far generated, repeats included)."""
    draw, choose = normals(11), integers(12)
    normal = draw(VOCAB)
    steps = torch.round(4 * draw(VOCAB)) / 2
    spread = torch.linspace(-3, 3, VOCAB)[draw(VOCAB).argsort()]
    extreme = 30 * draw(VOCAB)
    extreme[3], extreme[40] = 1e4, -1e4
    half = torch.full((VOCAB,), -50.0)
    half[[5, 17, 33, 60]] = 2.0
    masked = normal.clone()
    masked[::2] = -torch.inf
    table = {
        "normal": 3 * normal,
        "all_negative": -5 - normal.abs(),
        "ties_at_the_kth": steps,
        "all_equal": torch.zeros(VOCAB),
        "extreme": extreme,
        "four_equal_leaders": half,
        "minus_infinity": masked,
        "permuted_line": spread,
    }
    seen = choose(VOCAB, (len(table), 24))
    seen[:, 5:9] = seen[:, :1]  # repeats are penalised once
    return list(table), torch.stack(list(table.values())), seen


def cuts_a_tie(scores, probs):
    """Whether a token was dropped whose score equals that of a kept one: which of them goes is the sort's accident."""
    kept, dropped = scores[probs > 0], scores[(probs == 0) & (scores > -torch.inf)]
    return int(bool(torch.isin(dropped, kept).any()))


def make():
    """Writes sampling.safetensors and sampling.json."""
    model, _ = load("mha")
    names, logits, seen = rows()
    tensors = {"logits": logits, "seen_ids": seen}
    table, order = [], set()
    for i, (penalty, temperature, top_k, top_p) in enumerate(SETTINGS):
        config = GenerationConfig(
            do_sample=True, repetition_penalty=penalty, temperature=temperature, top_k=top_k, top_p=top_p
        )
        model._prepare_special_tokens(config, kwargs_has_attention_mask=True, device="cpu")  # as generate() does first
        processors = model._get_logits_processor(config, seen.shape[1], seen, None, [], device="cpu", model_kwargs={})
        order.add(tuple(type(p).__name__ for p in processors))
        probs = processors(seen, logits.clone()).softmax(-1)
        # A row alone gives the same: nothing here depends on the batch.
        for row in range(len(names)):
            alone = processors(seen[row : row + 1], logits[row : row + 1].clone()).softmax(-1)
            assert torch.equal(alone[0], probs[row])
        assert torch.isfinite(probs).all()
        tensors[f"{i}.probs"] = probs
        before_top_p = LogitsProcessorList(processors[:-1] if top_p < 1 else processors)(seen, logits.clone())
        tensors[f"{i}.tie_cut"] = torch.tensor([cuts_a_tie(*row) for row in zip(before_top_p, probs, strict=True)])
        table.append(dict(index=i, repetition_penalty=penalty, temperature=temperature, top_k=top_k, top_p=top_p))
    full = ("RepetitionPenaltyLogitsProcessor", "TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper")
    assert full in order and all(list(o) == [p for p in full if p in o] for o in order)
    write_tensors("sampling.safetensors", tensors)
    write_json("sampling.json", {"rows": names, "settings": table, "order": list(full)})
