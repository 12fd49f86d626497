"""Write a generated release: IEMOCAP's folders, files and formats, in parallel, byte for byte from the seed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.corpora.generated.ceilings import CLASS_SETS, all_ceilings, best_answer, subsets
from affuse.corpora.generated.displays import DISPLAYS, LABEL_MIX, MODALITIES, shown_given
from affuse.corpora.generated.quirks import plant_quirks
from affuse.corpora.generated.rating_ceilings import rating_ceilings
from affuse.corpora.generated.script import Dialog, plan_release
from affuse.errors import AffuseError
from affuse.files import file_digest, write_csv, write_json, write_text
from affuse.workers import begin_worker, worker_pool

if TYPE_CHECKING:
    import pandas as pd

STAMP = "ceilings.json"  # written last: a release that has it is whole
_README = """This release was made by a program: affuse's generated corpus.

It has the folders, names and formats of the IEMOCAP release and nothing of its content: no actor spoke, no
annotator listened. Voices, words and faces are drawn from a seed. ceilings.json holds the best accuracy that any
model can reach on it; displays.csv tells what each modality of each turn was made to show.
"""


def generate_release(
    out: str | Path,
    *,
    sessions: int = 5,
    dialogs: int = 8,
    turns: int = 1000,
    seed: int = 0,
    video: bool = True,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a generated release.

    The folder appears only when whole; an earlier generated release there is replaced. With ``jobs`` above 1 a script
    must guard its main code with ``if __name__ == "__main__"``, as for any process pool.

    Args:
        out: The folder to write.
        sessions: Sessions of two actors each.
        dialogs: Dialogs per session.
        turns: Turns in all.
        seed: One seed gives the same bytes for any number of processes.
        video: Draw the faces.
        jobs: Processes that share the dialogs.
        progress: Is called with (dialogs done, all dialogs) after each.

    Returns:
        The folder.

    Raises:
        AffuseError: The folder holds something else, or the sizes are impossible.
    """
    out = Path(out)
    if jobs < 1:
        raise AffuseError(f"jobs={jobs}: at least one process must do the work.")
    plan = plan_release(sessions, dialogs, turns, seed)
    if out.exists() and not (out / STAMP).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise AffuseError(
            f"{out} is there already and is not a generated release; give a folder that is new or empty."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        building = Path(tempfile.mkdtemp(prefix=".affuse-", dir=out.parent))
        stack.callback(shutil.rmtree, building, ignore_errors=True)
        root = building / "release"
        root.mkdir()
        write = partial(_write, root, seed, video)
        workers = min(jobs, len(plan))
        if workers > 1:
            pool = stack.enter_context(worker_pool(workers, begin_worker))
            finished = pool.map(write, plan)
        else:
            finished = map(write, plan)
        for done, _ in enumerate(finished, start=1):
            if progress is not None:
                progress(done, len(plan))
        plant_quirks(root)
        write_text(root / "README.txt", _README)
        write_csv(root / "displays.csv", displays_table(plan))
        settings = {"sessions": sessions, "dialogs": dialogs, "turns": turns, "seed": seed, "video": video}
        write_json(root / STAMP, {"generated": True, "name": "generated", **settings, **known(plan)})
        if out.exists():
            _check_nothing_lost(out, root)
            shutil.rmtree(out)
        root.replace(out)
    return out


def _check_nothing_lost(old: Path, new: Path) -> None:
    """AffuseError where the old release holds a file that is no part of it, or that somebody changed.

    Of a release of other settings only what lies beside its sessions is known not to be its own.
    """
    same = settings_of(old) == settings_of(new)
    for path in sorted(one for one in old.rglob("*") if one.is_symlink() or not one.is_dir()):
        inside = path.relative_to(old)
        twin = new / inside
        if not twin.is_file() and (same or not inside.parts[0].startswith("Session")):
            raise AffuseError(
                f"{path} does not belong to the generated release and would be lost; move it away."
            )
        if same and file_digest(path) != file_digest(twin):
            raise AffuseError(f"{path} was changed and would be lost; move it away, or name a new folder.")


def settings_of(release: str | Path) -> dict[str, object]:
    """Read sessions, dialogs, turns, seed and video of a whole generated release; empty where there is none."""
    try:
        stamp = json.loads((Path(release) / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: stamp.get(name) for name in ("sessions", "dialogs", "turns", "seed", "video")}


def _write(root: Path, seed: int, video: bool, dialog: Dialog) -> None:
    """Write one dialog in a worker; what draws and speaks is slow to import, and the parent does without it."""
    from affuse.corpora.generated.dialog_files import write_dialog

    write_dialog(root, seed, video, dialog)


def displays_table(plan: list[Dialog]) -> pd.DataFrame:
    """List what each turn was made to show: id, label, meant, and one column per modality."""
    import pandas as pd  # slow to import, and no worker needs it

    return pd.DataFrame(
        [
            {"id": t.id, "label": t.label, "meant": t.meant, **{m: t.shown[m] for m in MODALITIES}}
            for dialog in plan
            for t in dialog.turns
        ]
    )


def known(plan: list[Dialog]) -> dict[str, object]:
    """Compute the rest of ``ceilings.json``: the design's probabilities and its exact ceilings.

    Also the ideal observer's accuracy on just these turns, which differs from its ceiling by chance.
    """
    turns = [turn for dialog in plan for turn in dialog.turns]
    here: dict[str, dict[str, float]] = {}
    for name, classes in CLASS_SETS.items():
        labelled = [turn for turn in turns if turn.label in classes]
        for subset in subsets() if labelled else []:
            # turns that show the same get the same answer
            seen = Counter((classes[t.label], *(t.shown[m] for m in subset)) for t in labelled)
            right = sum(
                number
                for (label, *shown), number in seen.items()
                if best_answer(classes, dict(zip(subset, shown, strict=True))) == label
            )
            here.setdefault(name, {})["+".join(subset)] = right / len(labelled)
    shown = {
        m: {
            label: dict(zip(DISPLAYS, shown_given(m, label).round(6).tolist(), strict=True))
            for label in LABEL_MIX
        }
        for m in MODALITIES
    }
    return {
        "label_mix": LABEL_MIX,
        "shown": shown,
        "ceilings": all_ceilings(),
        "rating_ceilings": rating_ceilings(),
        "ideal_observer_here": here,
    }
