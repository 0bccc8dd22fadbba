"""quoting.json: options with everything that Python's repr treats specially, asked by each prompt, rendered and tokenised."""

import json

import common

from .asked import STYLES, at_test, in_training
from .tokenizer import expanded, rendered, runs

SAMPLES = 16000
SINGLE = [
    "", " ", "plain", "it's", 'a "q"', "it's \"both\"", "'", '"', "''", '""', "'\"", "\\", "\\'", '\\"', "\\'\"", "\\\\", "c:\\new\\table",
    "line\nbreak", "tab\tstop", "cr\rlf\r\n", "\0", "\x07\x08\x0b\x0c\x1b", "\x7f", "\x80\x9f", "\u00a0", "\u00ad", "\u0301",
    "e\u0301 and \u00e9", "\u0600", "\u200b", "\u200d", "\u200e\u202e", "\u2028\u2029", "\u3000", "\ufeff", "\ufffd\uffff", "\ue000",
    "caf\u00e9 na\u00efve", "\u4e2d\u6587", "\U0001f3bb", "\U0001fae0", "\U0001f469\u200d\U0001f467", "\U000e0001", "\U000f0000", "\U0010ffff",
    "\u0e33 \u1100\u1161\u11a8", "%s {0} {question} $x", "{{ x }} {% y %}", "<answer>a</answer>", "a, b', 'c", "['nested']", "None", "trailing ",
]  # fmt: skip
LISTS = [
    ["a dog", "a cat"],
    ["it's", 'a "q"', "both ' and \""],
    ["same", "same"],
    ["\\", "\\\\", "\\n", "\n"],
    ["(A) Yes", "(B) No", "(C) 2", "(D) 2"],
    [c for c in "abcdefghij"],
]
QUESTIONS = ["What is heard?", "What's \"that\" \\ \n\tsound in the video\u200b?", "Wie spät ist es — 中文 \U0001f600?"]
VIDEOS = ["What is in the video?", "videos, Video, VIDEO and video's end: videovideo", "What does the vi\ndeo show?", "No such word."]


def cases():
    """(question, options): every special text beside a plain one, then lists under each question."""
    yield from ((QUESTIONS[0], [text, "plain one"]) for text in SINGLE)
    yield from ((question, choices) for question in QUESTIONS for choices in LISTS)


def make(here, versions, processor):
    """Writes the file: texts, the rendered prompt without its text, and ids."""

    def entry(question, choices, texts):
        prompts = []
        for text in texts:
            prompt = rendered(processor, text)
            counts, ids = expanded(processor, prompt, [SAMPLES])
            assert counts == [25] and prompt.count(text) == 1
            prompts.append({"text": text, "around": prompt.split(text), "id_runs": runs(ids)})
        return json.dumps({"question": question, "choices": choices, "prompts": prompts}, separators=(",", ":"))

    asked = [entry(q, c, [at_test(s, q, c) for s in STYLES]) for q, c in cases()]
    options = ["the video", "an audio"]
    trained = [entry(q, options, [in_training(s, q, options) for s in STYLES]) for q in VIDEOS]
    head = json.dumps({"python": common.PYTHON, **versions, "audio_tokens": 25}, separators=(",", ":"))[:-1]
    lines = lambda entries: ",\n".join(entries)
    (here / "quoting.json").write_text(f'{head},\n"mmau":[\n{lines(asked)}\n],\n"avqa":[\n{lines(trained)}\n]}}\n')
