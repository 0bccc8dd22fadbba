"""Trains tokenizer/ (a tiny byte-level BPE with Qwen2-Audio's special tokens) and writes chat.json.

Run: python chat.py
transformers 4.49.0 renders each case with Qwen2AudioProcessor.apply_chat_template and expands it with the processor's call.
"""

import json
import random
from pathlib import Path

import numpy as np
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2AudioProcessor, Qwen2TokenizerFast, WhisperFeatureExtractor

here = Path(__file__).parent
split = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]

bpe = Tokenizer(models.BPE())
bpe.normalizer = normalizers.NFC()
bpe.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
)
bpe.decoder = decoders.ByteLevel()
corpus = [
    "You are a helpful assistant. Audio 1: What is heard in the audio? Please choose the answer from the following options: "
    "['a dog', 'a cat', \"a bird's song\", 'rain']. Output the final answer in <answer> </answer>.",
    "system user assistant Output the thinking process in <think> </think> and final answer in <answer> </answer>.",
]
bpe.train_from_iterator(
    corpus, trainers.BpeTrainer(vocab_size=380, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
)
bpe.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
tokenizer = Qwen2TokenizerFast(
    tokenizer_object=bpe,
    eos_token="<|im_end|>",
    pad_token="<|endoftext|>",
    unk_token=None,
    bos_token=None,
    additional_special_tokens=special[1:],
)
folder = here / "tokenizer"
tokenizer.save_pretrained(folder)
for extra in ["vocab.json", "merges.txt", "added_tokens.json"]:
    (folder / extra).unlink(missing_ok=True)
processor = Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer)

texts = [
    "What is heard?",
    "What's that?  Two  spaces, 2024 digits\nand\r\n\tlines  ",
    "Question Please choose the answer from the following options: ['a', \"it's\", '\"q\"', '\\\\ \\n']. Output the final answer in "
    "<answer> </answer>.",
    "",
    "中文 e\u0301 \u00e9 \U0001f600 <|im_end|> <|audio_bos|>x<|audio_eos|> <|endoftext|>",
    "Audio 7: {{ messages }} {% if %} <think>",
]
many_lines = (here / "many_lines.jinja").read_text()
cases = []
for text in texts:
    for lengths in [[16000], [480000, 1000], [8000, 159, 480001]]:
        turn = [{"type": "audio", "audio_url": "clip"} for _ in lengths] + [{"type": "text", "text": text}]
        conversation = [{"role": "user", "content": turn}]
        rendered = processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        other = processor.apply_chat_template(conversation, many_lines, add_generation_prompt=True, tokenize=False)
        called = processor(text=rendered, audios=[np.zeros(n, np.float32) for n in lengths], sampling_rate=16000)
        masks = [int(m.sum()) for m in called["feature_attention_mask"]]
        counts = [((m - 1) // 2 + 1 - 2) // 2 + 1 for m in masks]
        (ids,) = called["input_ids"]
        runs = []
        for i in ids:
            if runs and runs[-1][0] == i:
                runs[-1][1] += 1
            else:
                runs.append([i, 1])
        cases.append({"text": text, "counts": counts, "rendered": rendered, "many_lines": other, "id_runs": runs})

# Texts that bring their own places for audio, with and without one of the neighbours.
bare = []
for text in ["<|AUDIO|>", "a <|AUDIO|> b <|audio_bos|><|AUDIO|> c <|AUDIO|><|audio_eos|>", "a longer opening <|AUDIO|><|AUDIO|>"]:
    count = text.count("<|AUDIO|>")
    called = processor(text=text, audios=[np.zeros(1600 + 640 * i, np.float32) for i in range(count)], sampling_rate=16000)
    masks = [int(m.sum()) for m in called["feature_attention_mask"]]
    counts = [((m - 1) // 2 + 1 - 2) // 2 + 1 for m in masks]
    bare.append({"text": text, "counts": counts, "ids": called["input_ids"][0]})

rng = random.Random(5)
size = len(tokenizer)
decodes = []
for _ in range(40):
    ids = [rng.randrange(size + 8) for _ in range(rng.randrange(1, 12))]
    decoded = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    decodes.append({"ids": ids, "text": decoded})
decodes.append({"ids": tokenizer.encode("it 's , a ."), "text": "it 's , a ."})

fixture = {
    "transformers": transformers.__version__,
    "tokenizers": tokenizers.__version__,
    "tokens": {t: tokenizer.convert_tokens_to_ids(t) for t in special},
    "eos": tokenizer.eos_token_id,
    "pad": tokenizer.pad_token_id,
    "size": size,
    "cases": cases,
    "bare": bare,
    "decode": decodes,
}
(here / "chat.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
