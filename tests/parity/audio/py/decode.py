"""libsndfile.json and lossy.safetensors: what libsndfile and ffmpeg read from every clip of clips/."""

import av
import common
import numpy as np
import soundfile

# No divisor of a frame (1152 and 576 samples), so that every place in a frame is met.
STRIDE = 5
LOSSY = ("MPEG_LAYER_III", "VORBIS")


def libsndfile(path):
    """(samples [frames, channels] float32, rate, subtype). Samples that are read, not those that a header promises."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples, rate, soundfile.info(str(path)).subtype


def ffmpeg(path):
    """(channel 0 as float32, rate) through ffmpeg's own decoder, with its own treatment of the encoder's delay."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = []
        for frame in container.decode(stream):
            assert frame.format.name == "fltp", frame.format.name
            frames.append(frame.to_ndarray()[0])
        return np.concatenate(frames), stream.rate


def ffmpeg_version():
    """Of the libraries in PyAV's wheel."""
    return av.ffmpeg_version_info


def make(here, versions):
    """Writes both files."""
    files, tensors = {}, {}
    for path in sorted((here / "clips").iterdir()):
        if path.suffix not in (".wav", ".mp3", ".flac", ".ogg"):
            continue
        samples, rate, subtype = libsndfile(path)
        first = samples[:, 0]
        lossy = subtype in LOSSY
        files[path.name] = [rate, samples.shape[1], len(first), None if lossy else common.crc32(first), subtype]
        if lossy:
            tensors[f"{path.name}.libsndfile"] = first[::STRIDE]
        if subtype == "MPEG_LAYER_III":
            theirs, their_rate = ffmpeg(path)
            assert their_rate == rate, (path.name, their_rate)
            tensors[f"{path.name}.ffmpeg"] = theirs[::STRIDE]
            tensors[f"{path.name}.ffmpeg.count"] = np.array([len(theirs)], np.int64)
    made_with = {
        "soundfile": versions["soundfile"],
        "libsndfile": soundfile.__libsndfile_version__,
        "av": versions["av"],
        "ffmpeg": ffmpeg_version(),
    }
    common.write_json(here / "libsndfile.json", {"made_with": made_with}, files=files)
    common.write_tensors(here / "lossy.safetensors", tensors, made_with, slack=2e-6)
