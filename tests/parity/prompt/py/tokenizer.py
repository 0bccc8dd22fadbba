"""tokenizer/: a tiny byte-level BPE with Qwen2-Audio's special tokens, and the processor around it."""

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import BatchFeature, Qwen2AudioProcessor, Qwen2TokenizerFast, WhisperFeatureExtractor

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
CORPUS = [
    "You are a helpful assistant. Audio 1: What is heard in the audio? Please choose the answer from the following options: "
    "['a dog', 'a cat', \"a bird's song\", 'rain']. Output the final answer in <answer> </answer>.",
    "system user assistant Output the thinking process in <think> </think> and final answer in <answer> </answer>.",
]


class OnlyLengths(WhisperFeatureExtractor):
    """The extractor's mask without its features, which no prompt depends on."""

    def __call__(self, audios, **_):
        """Ones for as many frames as the extractor gives a clip of this length."""
        frames = [min(3000, -(-len(audio) // 160)) for audio in audios]
        return BatchFeature({"attention_mask": np.array([[1] * n + [0] * (3000 - n) for n in frames])})


def audio_tokens(frames):
    """Qwen2AudioEncoder._get_feat_extract_output_lengths."""
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1


def make(folder):
    """Trains and saves the tokenizer; returns the processor."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=380, initial_alphabet=alphabet, show_progress=False))
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer = Qwen2TokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        bos_token=None,
        additional_special_tokens=SPECIAL[1:],
    )
    tokenizer.save_pretrained(folder)
    for extra in ["vocab.json", "merges.txt", "added_tokens.json"]:
        (folder / extra).unlink(missing_ok=True)
    return Qwen2AudioProcessor(OnlyLengths(feature_size=128), tokenizer)


def rendered(processor, text, clips=1, template=None):
    """One user turn with its clips first, default system turn, the assistant's opener."""
    turn = [{"type": "audio", "audio_url": "clip"} for _ in range(clips)] + [{"type": "text", "text": text}]
    return processor.apply_chat_template([{"role": "user", "content": turn}], template, add_generation_prompt=True, tokenize=False)


def expanded(processor, text, lengths):
    """(audio tokens a clip, ids) of the processor's call, for clips of so many samples."""
    called = processor(text=text, audios=[np.zeros(n, np.float32) for n in lengths], sampling_rate=16000)
    counts = [audio_tokens(int(np.sum(mask))) for mask in called["feature_attention_mask"]]
    (ids,) = called["input_ids"]
    return counts, ids


def runs(ids):
    """[id, how many times in a row] for every run."""
    found = []
    for i in ids:
        if found and found[-1][0] == i:
            found[-1][1] += 1
        else:
            found.append([i, 1])
    return found
