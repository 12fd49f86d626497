"""Run an exported model without torch: python run_onnx.py MODEL.onnx audio=clip.wav video=faces.npy ...

A .npy file holds (steps, ...) as the model's metadata describe it; any other file is sound, for a modality that
reads samples. A modality that is not named is missing. Needs numpy, onnxruntime and, for sound, soundfile and soxr.
"""

import json
import re
import sys

import numpy as np
import onnxruntime

if not all("=" in word for word in sys.argv[2:]):
    sys.exit("Say which input each file is for: python run_onnx.py MODEL.onnx audio=clip.wav")
session = onnxruntime.InferenceSession(sys.argv[1])
about = session.get_modelmeta().custom_metadata_map
files = dict(word.split("=", 1) for word in sys.argv[2:])
feed = {}
for name, step in json.loads(about["inputs"]).items():
    if name not in files:
        values = np.zeros((step["least_steps"], *step["step"]))
    elif files[name].endswith(".npy"):
        values = np.load(files[name])
    else:
        if not (hertz := re.search(r"^sample .* at (\d+) Hz", step["meaning"])):
            cure = "" if step["raw"] else " (export with --inputs raw to have it in the file, if it can be)"
            sys.exit(
                f"{files[name]}: {name} takes a .npy array, no sound: a row per {step['meaning']}{cure}."
            )
        import soundfile
        import soxr

        sound, rate = soundfile.read(files[name], dtype="float32", always_2d=True)
        values = soxr.resample(sound.mean(axis=1), rate, int(hertz[1]))
    feed[name] = values[None].astype(step["dtype"])
    feed[f"{name}_mask"] = np.full((1, len(values)), name in files)
confidence = json.loads(about["prediction"])["confidence"]
for task, labels in json.loads(about["labels"]).items():
    known = {"temperature": 1.0, "unsure_below": 0.0} | confidence.get(task, {})
    (logits,) = session.run([f"logits_{task}"], feed)[0] / known["temperature"]
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    told = [f"{label} {share:.3f}" for label, share in zip(labels, shares, strict=True)]
    print(task, ", ".join(told) + (" (unsure)" if shares.max() < known["unsure_below"] else ""))
