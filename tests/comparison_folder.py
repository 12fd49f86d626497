"""A comparison's folder made by hand: what a report reads, without any training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.intervals import speaker_confusions, speaker_interval
from affuse.evaluation.predictions import measure_table
from affuse.training.embeddings import write_embeddings

CLASSES = ["anger", "neutral", "sadness"]


def make_comparison(
    folder: Path, skills: dict[str, float], *, speakers: int = 8, each: int = 18, seeds: tuple[Any, ...] = (0, 1),
    folds: int = 4, tight: dict[str, float] | None = None, on_test: dict[str, str] | None = None,
    tasks: tuple[Any, ...] = ("emotion",), recipe: str = "server", published: str = "",
):  # fmt: skip
    """skills: loss -> chance to be right (where wrong, the next class). Speakers are dealt over the folds.

    tight: loss -> distance between class means of its embeddings; on_test: loss -> what was chosen on the test part.
    published: a network's name in a paper's tables; rows are then named as 'affuse reproduce' does: "SERVER / center".
    The utterances are "s<speaker>_<k>"; even speakers are women, the first half of each one's turns improvised.
    """
    random = np.random.default_rng(0)
    ids = [f"s{s}_{k}" for s in range(speakers) for k in range(each)]
    label = {task: {id: CLASSES[int(id.split("_")[1]) % 3] for id in ids} for task in tasks}
    ease = {id: random.random() for id in ids}  # an utterance is as hard for every row
    shift = {s: random.normal(0, 0.05) for s in range(speakers)}
    rows, results = [], []
    for loss, skill in skills.items():
        reason = (on_test or {}).get(loss, "")
        cells, by_seed = [], {}
        for seed in seeds:
            for fold in range(folds):
                place = folder / "runs" / f"loss={loss},seed={seed}" / f"fold{fold}"
                place.mkdir(parents=True)
                tables = []
                for role, of in (("validation", (fold + 1) % folds), ("test", fold)):
                    mine = [id for id in ids if int(id[1:].split("_")[0]) % folds == of]
                    table = {"id": mine, "role": role, "fold": fold}
                    for task in tasks:
                        columns = [[], [], []]
                        called = []
                        for id in mine:
                            true = CLASSES.index(label[task][id])
                            chance = skill + shift[int(id[1:].split("_")[0])] + random.normal(0, 0.05)
                            guess = true if ease[id] < chance else (true + 1) % 3
                            sure = random.uniform(0.4, 0.95)
                            for c in range(3):
                                columns[c].append(round(sure if c == guess else (1 - sure) / 2, 6))
                            called.append(CLASSES[guess])
                        table |= {task: [label[task][id] for id in mine], f"{task}_predicted": called}
                        table |= {f"{task}_p_{name}": columns[c] for c, name in enumerate(CLASSES)}
                    tables.append(pd.DataFrame(table))
                pd.concat(tables).to_csv(place / "predictions.csv", index=False)
                by_seed.setdefault(seed, []).append(tables[1])
                train = len(ids) - len(tables[0]) - len(tables[1])
                counts = {"train": train, "validation": len(tables[0]), "test": len(tables[1])}
                (place / "results.json").write_text(json.dumps({"utterances": counts, "on_test": reason}))
                (place / "environment.json").write_text("{}")
                curves = {"epoch": [1, 2, 3]}
                for task in tasks:
                    curves |= {
                        f"train_loss_{task}": [1.0, 0.6, 0.4],
                        f"validation_loss_{task}": [1.1, 0.8, 0.9],
                    }
                    curves[f"weight_{task}"] = [1 / len(tasks)] * 3
                pd.DataFrame(curves).to_csv(place / "metrics.csv", index=False)
                if tight is not None:
                    tested = list(tables[1]["id"])
                    middle = np.array([CLASSES.index(label[tasks[0]][id]) for id in tested])[:, None]
                    points = tight[loss] * np.eye(3)[middle[:, 0]] + random.normal(0, 1, (len(tested), 3))
                    write_embeddings(place / "embeddings.npz", tested, points)
                cells.append(
                    {
                        "folder": place.relative_to(folder).as_posix(),
                        "fold": fold,
                        "seed": seed,
                        "finished": True,
                    }
                )
        tables = [pd.concat(parts) for parts in by_seed.values()]
        clusters = pd.Series({id: id.split("_")[0] for id in ids})
        settings = {"recipe": recipe, "loss": loss}
        settings |= {"row": f"{published} / {loss}"} if published else {}
        rows.append(
            {
                "settings": settings,
                "description": "By hand.",
                "modalities": {"audio": "logmel"},
                "fusion": "concat",
                "protocol": {
                    "kind": "group_k_fold", "by": ["speaker"], "folds": folds, "ratios": [0.8, 0, 0.2],
                    "validation": {"groups": 2, "fraction": None, "by": []},
                },
                "split_hash": "abc",
                "stamp": "",
                "transcript_overlap": None,
                "cells": cells,
            }
        )  # fmt: skip
        for task in tasks:
            measured = [measure_table(table, task, CLASSES) for table in tables]
            for metric in ("acc", "bacc", "macro_f1", "weighted_f1"):
                found = speaker_confusions(tables, task, CLASSES, clusters)
                low, high = (
                    speaker_interval(found, metric)[1:] if metric in ("acc", "bacc") else (np.nan, np.nan)
                )
                values = np.array([getattr(m, metric) for m in measured])
                results.append(
                    settings
                    | {
                        "protocol": "group_k_fold", "stamp": "", "on_test": reason, "corpus": "hand",
                        "transcript_overlap": np.nan, "task": task, "metric": metric, "value": values.mean(),
                        "low": low, "high": high, "ceiling": np.nan,
                        "sd_seeds": values.std(ddof=1) if len(values) > 1 else np.nan,
                        "sd_folds": 0.01, "n": len(ids), "speakers": len(found), "seeds": len(seeds), "folds": folds,
                    }
                )  # fmt: skip
    pd.DataFrame(results).to_csv(folder / "results.csv", index=False)
    people = pd.DataFrame({"id": ids})
    people["speaker"] = people["id"].str.split("_").str[0]
    people["gender"] = ["female" if int(name[1:]) % 2 == 0 else "male" for name in people["speaker"]]
    people["scenario"] = ["improvised" if int(id.split("_")[1]) < each // 2 else "scripted" for id in ids]
    people["clip"] = [f"../corpus/{id}.wav" for id in ids]
    people.to_csv(folder / "utterances.csv", index=False)
    record = {
        "format": 1,
        "affuse": "0",
        "environment": {"python": "3"},
        "corpus": {
            "title": "hand", "generated": False, "hash": "h", "utterances": len(ids), "speakers": speakers,
            "notes": [], "ceilings": {},
        },
        "tasks": {task: {"classes": CLASSES, "counts": {c: len(ids) // 3 for c in CLASSES}} for task in tasks},
        "rows": rows,
        "skipped": [],
        "failed": [],
    }  # fmt: skip
    (folder / "comparison.json").write_text(json.dumps(record))
    return folder
