"""real_clips.json: facts of the real MMAU clips, where they are at hand. Counts, checksums and norms; no samples.

What is compared must show a shift by one sample, a swapped channel and a wrong scale without giving away the audio: the mean
square, and the correlation with a slow cosine and sine.
"""

import common
import numpy as np
import torch
import torchaudio

from . import decode, mel

# Radians a sample. Slow enough that real sound has energy there, so that a shift by one sample shows.
ANGLE = 0.05
MOMENT_TOLERANCE = 1e-8


def moments(x):
    """Correlation with cos(ANGLE i) and sin(ANGLE i), a sample."""
    x = x.astype(np.float64)
    i = np.arange(len(x)) * ANGLE
    return [common.digits(np.mean(x * np.cos(i)), 8), common.digits(np.mean(x * np.sin(i)), 8)]


def mean_square(x):
    """In float64."""
    return common.digits(np.mean(x.astype(np.float64) ** 2), 7)


def tokens(made_by, channels, rate):
    """(samples at 16 kHz before the cut at 30 s, audio tokens) of the reference's pipeline: every channel resampled, the
    first taken, the extractor's mask counted."""
    resampled = torchaudio.transforms.Resample(rate, 16000)(torch.from_numpy(channels)) if rate != 16000 else channels
    first = np.asarray(resampled[0])
    return len(first), mel.audio_tokens(mel.features(made_by, first)[1])


def of_mp3(made_by, path, first, rate):
    """What ffmpeg reads of it, and how far that is from what libsndfile reads."""
    theirs, their_rate = decode.ffmpeg(path)
    assert their_rate == rate
    n = min(len(first), len(theirs))
    shifted = np.abs(np.array(moments(theirs)) - np.array(moments(np.roll(theirs, 1)))).max()
    assert shifted > 10 * MOMENT_TOLERANCE, (path.name, shifted)
    return {
        "samples": len(theirs),
        "mean_square": mean_square(theirs),
        "moments": moments(theirs),
        "tokens": tokens(made_by, theirs[None], rate)[1],
        "largest_difference_from_libsndfile": common.digits(np.abs(first[:n] - theirs[:n]).max(), 2),
    }


def make(here, versions):
    """Writes the file if the clips are there."""
    folder = common.real_data("test-mini-audios", ["audio/real_clips.json"])
    if folder is None:
        return
    made_by = mel.extractor()
    clips, ffmpeg = {}, {}
    for path in sorted((folder / "test-mini-audios").iterdir()):
        samples, rate, subtype = decode.libsndfile(path)
        first = samples[:, 0]
        lossy = subtype in decode.LOSSY
        clips[path.stem] = [
            rate,
            samples.shape[1],
            len(first),
            None if lossy else common.crc32(first),
            mean_square(first),
            *tokens(made_by, np.ascontiguousarray(samples.T), rate),
        ]
        if lossy:
            ffmpeg[path.stem] = of_mp3(made_by, path, first, rate)
    made_with = dict(versions, ffmpeg=decode.ffmpeg_version(), libsndfile=decode.soundfile.__libsndfile_version__)
    common.write_json(here / "real_clips.json", {"made_with": made_with}, clips=clips, ffmpeg=ffmpeg)
