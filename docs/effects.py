"""The effect columns of docs/protocols.md, from the switches.csv that 'affuse reproduce --switches' wrote.

python docs/effects.py multi-loss runs/switches/switches.csv   # without a file: nothing measured
"""

from __future__ import annotations

import sys

import pandas as pd

from affuse.reproduction.definition import Changes, Switch, read_switches


def fields(changes: Changes) -> str:
    """The switch as a recipe has it."""
    shown = []
    for key, value in changes.items():
        if key == "loss":
            options = {name: option for term in value for name, option in term.get("options", {}).items()}
            options |= {name: term[name] for term in value for name in ("reduction",) if name in term}
            shown += [f"loss option `{name}: {str(option).lower()}`" for name, option in options.items()]
        elif key == "protocol":
            shown.append(
                f"`protocol: {{kind: {value['kind']}{', reshuffled: true' if value.get('reshuffled') else ''}}}`"
            )
        elif isinstance(value, dict):
            shown += [f"`{key}.{name}: {option}`" for name, option in value.items() if name == "ties"]
        else:
            shown.append(
                f"`{key}: {'null' if value is None else str(value).lower() if isinstance(value, bool) else value}`"
            )
    return ", ".join(shown)


def effect(rows: pd.DataFrame, switch: Switch, metrics: list[str]) -> str:
    """'SERVER / center: +1.2 [-0.3, 2.7]' for every row it was measured on."""
    measured = []
    for row in switch.rows:
        for metric in metrics:
            found = rows[(rows["switch"] == switch.name) & (rows["row"] == row) & (rows["metric"] == metric)]
            if len(found):
                one = found.iloc[0]
                what = row if len(metrics) == 1 else f"{row}, {metric.split('_')[0]}"
                measured.append(f"{what}: {one['effect']:+.1f} [{one['low']:+.1f}, {one['high']:+.1f}]")
    return "<br>".join(measured) or "not measured"


def main(paper: str, path: str = "") -> None:
    rows = pd.read_csv(path) if path else pd.DataFrame(columns=["switch", "row", "metric"])
    metrics = [name for name in dict.fromkeys(rows["metric"]) if name.endswith("_bacc")]
    print("| departure | switch | what the code does | effect on BACC |\n|---|---|---|---|")
    for switch in read_switches(paper).switches:
        does = " ".join(switch.does.split())
        print(f"| {switch.name} | {fields(switch.set)} | {does} | {effect(rows, switch, metrics)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
