"""The reference stack's side of `make bench-peers`: transformers 4.49.0 on torch, the way R1-AQA's trainer (trl 0.15.2) and test script step.

The same works, requests and answers as benches/peers/main.rs: `peers.py serve FOLDER THREADS [DEVICE DTYPE]` answers one JSON object a line (the step is the CPU's
alone); `peers.py first-token FOLDER THREADS` is a whole process from start to first token. What stands under `same` must be equal on both sides. A GPU machine may have
another version of transformers, and no soundfile.
"""

import copy
import json
import os
import sys
import time
import wave
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")

import numpy  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import GenerationConfig, Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor  # noqa: E402

try:
    import soundfile
except ModuleNotFoundError:
    soundfile = None

BETA = 0.04
#: Words that transformers 5 renamed; it passes over the old ones.
FIVE = int(transformers.__version__.split(".")[0]) >= 5
AUDIO, DTYPE = ("audio", "dtype") if FIVE else ("audios", "torch_dtype")


def finish(device):
    """Waits until the device has done all that it was asked: before a clock starts, and before it stops."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def memory():
    """Resident memory of this process in bytes: now, and at its highest since the process began."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {name: int(lines[key].split()[0]) * 1024 for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}


class Inputs:
    """What `benches/peers/inputs.rs` wrote, with the processor that reads it."""

    def __init__(self, folder, device="cpu", dtype="float32"):
        self.folder, self.device, self.dtype = Path(folder), torch.device(device), getattr(torch, dtype)
        shared = json.loads((self.folder / "inputs.json").read_text())
        self.clips = shared["clips"]
        self.processor = Qwen2AudioProcessor.from_pretrained(self.folder / "model")
        content = [{"type": "audio", "audio_url": "clip"}, {"type": "text", "text": shared["text"]}]
        chat = [{"role": "user", "content": content}]
        self.prompt = self.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)

    def clip(self, seconds, number=0):
        """A file of so many seconds."""
        return self.folder / "clips" / (f"10s-{number:02}.wav" if seconds == 10 else f"{seconds}s.wav")

    def read(self, file):
        """Channel 0 in float32. torchaudio.load, which the reference calls, needs torchcodec in 2.11; soundfile stands for it, or the standard library."""
        if soundfile is None:
            with wave.open(str(file)) as clip:
                assert (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) == (16000, 1, 2)
                return numpy.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2").astype(numpy.float32) / 32768
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        assert rate == 16000
        return samples[:, 0]

    def encode(self, files):
        """What the model takes."""
        audios = [self.read(file) for file in files]
        prompts = [self.prompt] * len(files)
        batch = self.processor(text=prompts, **{AUDIO: audios}, sampling_rate=16000, return_tensors="pt", padding=True)
        return batch.to(self.device)

    def model(self):
        """The checkpoint; no id ends a completion."""
        model = Qwen2AudioForConditionalGeneration.from_pretrained(self.folder / "model", **{DTYPE: self.dtype})
        model.generation_config.eos_token_id = None
        return model.to(self.device).eval()

    def config(self, new_tokens, **settings):
        """A generation of exactly so many tokens."""
        pad = self.processor.tokenizer.pad_token_id
        return GenerationConfig(max_new_tokens=new_tokens, pad_token_id=pad, **settings)

    def greedy(self, model, batch, new_tokens):
        """New ids of every row, and the seconds that they took."""
        config = self.config(new_tokens, do_sample=False)
        finish(self.device)
        started = time.perf_counter()
        ids = model.generate(**batch, generation_config=config)
        finish(self.device)
        seconds = time.perf_counter() - started
        return seconds, ids[:, batch["input_ids"].shape[1] :]


class Training:
    """The reference trainer's step, straight through: R1-AQA's `GRPOTrainer.compute_loss` (5d24f31) and what Trainer does around it."""

    def __init__(self, inputs, size):
        from trl.trainer.utils import selective_log_softmax

        self.logps_of = selective_log_softmax
        self.inputs, self.size = inputs, size
        self.policy = inputs.model().train()
        self.reference = copy.deepcopy(self.policy).eval().requires_grad_(False)
        self.parameters = [p for p in self.policy.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-6, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)

    def logps(self, model, ids, prompt, rest):
        """Log-probabilities of the completions: logits over all positions, as the reference has them."""
        logits = model(input_ids=ids, **rest).logits
        return self.logps_of(logits[:, :-1], ids[:, 1:])[:, prompt - 1 :]

    def step(self):
        """One optimizer step; the questions are accumulated one by one, as a device of the reference does."""
        new, group = self.size["new_tokens"], self.size["group"]
        tokens = prompt_tokens = 0
        rollout_seconds = 0.0
        started = time.perf_counter()
        for _ in range(self.size["questions"]):
            batch = self.inputs.encode([self.inputs.clip(self.size["clip"])])
            prompt = batch["input_ids"].shape[1]
            config = self.inputs.config(new, do_sample=True, temperature=1.0, num_return_sequences=group)
            rollout = time.perf_counter()
            ids = self.policy.generate(**batch, generation_config=config)
            rollout_seconds += time.perf_counter() - rollout
            self.inputs.processor.batch_decode(ids[:, prompt:], skip_special_tokens=True)
            # Rewards that differ: how they come about takes no time worth measuring.
            rewards = torch.tensor([1.0] + [0.0] * (group - 1))
            advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
            mask = torch.ones(group, ids.shape[1] - prompt, dtype=torch.long)
            rest = {
                "attention_mask": torch.cat([batch["attention_mask"].repeat_interleave(group, dim=0), mask], dim=1),
                "input_features": batch["input_features"].repeat(group, 1, 1),
                "feature_attention_mask": batch["feature_attention_mask"].repeat_interleave(group, dim=0),
            }
            logps = self.logps(self.policy, ids, prompt, rest)
            with torch.inference_mode():
                reference = self.logps(self.reference, ids, prompt, rest)
            kl = torch.exp(reference - logps) - (reference - logps) - 1
            loss = -(torch.exp(logps - logps.detach()) * advantages.unsqueeze(1) - BETA * kl)
            loss = ((loss * mask).sum(dim=1) / mask.sum(dim=1)).mean()
            (loss / self.size["questions"]).backward()
            tokens += int(mask.sum())
            prompt_tokens += prompt
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        seconds = time.perf_counter() - started
        assert norm > 0, "a step without a gradient"
        same = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}
        return {"seconds": seconds, "rollout_seconds": rollout_seconds, "same": same}


class Worker:
    """Answers requests; what a work needs is loaded when it is first asked for."""

    def __init__(self, folder, *place):
        self.inputs = Inputs(folder, *place)
        self.model = self.training = None

    def answer(self, request):
        """Does one work."""
        works = {
            "load": lambda: self.policy() and memory(),
            "load-step": lambda: self.train(request) and memory(),
            "step": lambda: self.train(request).step(),
            "memory": memory,
            "prefill": lambda: self.prefill(request["batch"]),
            "decode": lambda: self.decode(request["batch"], request["new_tokens"]),
            "evaluate": lambda: self.evaluate(request["clips"], request["batch"], request["new_tokens"]),
            "log-mel": self.log_mel,
            "clip": self.clip,
        }
        return works[request["work"]]()

    def train(self, request):
        """The training that a request's steps belong to."""
        size = {key: request[key] for key in ("group", "clip", "new_tokens", "questions")}
        if self.training is None or self.training.size != size:
            self.training = None
            self.training = Training(self.inputs, size)
        return self.training

    def policy(self):
        """The model of the works without training."""
        if self.model is None:
            self.model = self.inputs.model()
        return self.model

    def batch(self, rows):
        """The first clips, and the prompts as the other side names them."""
        batch = self.inputs.encode([self.inputs.clip(10, i) for i in range(rows)])
        ids = [row[mask.bool()].tolist() for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
        return batch, ids

    def prefill(self, rows):
        """Clips' features to the first token of each row."""
        batch, prompt_ids = self.batch(rows)
        seconds, ids = self.inputs.greedy(self.policy(), batch, 1)
        return {"seconds": seconds, "same": {"prompt_ids": prompt_ids, "tokens": ids.tolist()}}

    def decode(self, rows, new_tokens):
        """Seconds a decode step: those of a generation of `new_tokens + 1` less those of the first token, by `new_tokens`."""
        batch, prompt_ids = self.batch(rows)
        first, _ = self.inputs.greedy(self.policy(), batch, 1)
        seconds, ids = self.inputs.greedy(self.policy(), batch, new_tokens + 1)
        same = {"prompt_ids": prompt_ids, "counts": [len(row) for row in ids], "tokens": ids[:, :8].tolist()}
        return {"seconds": (seconds - first) / new_tokens, "same": same}

    def evaluate(self, clips, size, new_tokens):
        """WAV files to texts, as R1-AQA's test script goes through a batch."""
        files = [self.inputs.clip(10, i % self.inputs.clips) for i in range(clips)]
        model = self.policy()
        first, counts, texts = [], [], []
        started = time.perf_counter()
        for at in range(0, len(files), size):
            batch = self.inputs.encode(files[at : at + size])
            _, ids = self.inputs.greedy(model, batch, new_tokens)
            tokenizer = self.inputs.processor.tokenizer
            texts += tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            first += ids[:, 0].tolist()
            counts += [len(row) for row in ids]
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "same": {"first": first, "counts": counts}, "texts": texts}

    def features(self, samples):
        """What the extractor makes of samples at 16 kHz."""
        extractor = self.inputs.processor.feature_extractor
        return extractor(samples, sampling_rate=16000, return_attention_mask=True, padding="max_length", return_tensors="pt")

    def log_mel(self):
        """The log-mel spectrogram of a clip whose samples are in memory."""
        samples = self.inputs.read(self.inputs.clip(10))
        started = time.perf_counter()
        out = self.features(samples)
        seconds = time.perf_counter() - started
        same = {"frames": int(out["attention_mask"].sum()), "values": out["input_features"].numel()}
        return {"seconds": seconds, "same": same}

    def clip(self):
        """A stereo file at 44.1 kHz to features: all channels are resampled, then channel 0 is kept, as the reference does."""
        import torchaudio

        started = time.perf_counter()
        samples, rate = soundfile.read(self.inputs.folder / "clips" / "stereo.wav", dtype="float32", always_2d=True)
        resample = torchaudio.transforms.Resample(rate, 16000)
        mono = resample(torch.from_numpy(samples.T))[0].numpy()
        out = self.features(mono)
        seconds = time.perf_counter() - started
        same = {"samples": len(mono), "frames": int(out["attention_mask"].sum()), "values": out["input_features"].numel()}
        return {"seconds": seconds, "same": same}


def serve(folder, *place):
    """Answers requests until the input ends. A request that fails is answered with `error`."""
    worker = Worker(folder, *place)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


def first_token(folder):
    """From the start of the process to the first token: the checkpoint, one clip, the prompt."""
    inputs = Inputs(folder)
    model = inputs.model()
    batch = inputs.encode([inputs.clip(10)])
    _, ids = inputs.greedy(model, batch, 1)
    same = {"prompt_ids": batch["input_ids"][0].tolist(), "tokens": ids.tolist()}
    print(json.dumps({"memory": memory(), "same": same}))


if __name__ == "__main__":
    way, folder, threads, *place = sys.argv[1:]
    torch.set_num_threads(int(threads))
    {"serve": serve, "first-token": first_token}[way](folder, *place)
