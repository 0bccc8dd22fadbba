"""The text of the user turn, as R1-AQA (xiaomi-research/r1-aqa at 5d24f31) writes it in src/test_mmau.py and
src/dataset/dataset.py: f-strings around Python's own repr of the list of options."""

STYLES = ["1", "2", "3"]


def at_test(style, question, choices):
    """Prompts <2> and <3> are published; <1>, whose code is not, is the same without an instruction on tags."""
    asked = f"{question} Please choose the answer from the following options: {choices}."
    if style == "1":
        return asked
    if style == "2":
        return f"{asked} Output the final answer in <answer> </answer>."
    return f"{asked} Output the thinking process in <think> </think> and final answer in <answer> </answer>."


def in_training(style, question, choices):
    """AVQA asks about videos; the clip has no picture."""
    return at_test(style, question.replace("video", "audio"), choices)
