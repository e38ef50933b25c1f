"""The numbers of README, cards and pages, taken from ``results/``: run as a script it writes them into the pages.

    python tests/figures.py

The words of a page are its own: of a table the cells' numbers are replaced, of a sentence those beside a name.
"""

from __future__ import annotations

import csv
import json
import re
from functools import partial
from pathlib import Path

from shared.deploy.card import read_card

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
SHIPPED = {
    "as shipped": "shipped",
    "`tta.json`": "flips",
    "`ensemble.json` of three": "ensemble",
    "both": "ensemble_flips",
}


def read(*parts):
    return json.loads(RESULTS.joinpath(*parts).read_text(encoding="utf-8"))


def rows_of(*parts):
    with RESULTS.joinpath(*parts).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def with_numbers(words, values):
    """``words`` with these values for its first numbers, each with as many decimals as stand there; a text as it is."""
    left = list(values)

    def number(found):
        value = left.pop(0) if left else found[0]
        if isinstance(value, str):
            return value
        return f"{value:{',' if ',' in found[0] else ''}.{len(found[0].partition('.')[2])}f}"

    return NUMBER.sub(number, words)


def in_table(columns, values_of, text):
    """Fill the rows of each table that begins with these columns.

    Args:
        columns: names of the first columns.
        values_of: of a row's cells and the table's turn, numbers by column or None; those of a cell may be several.
        text: the page.
    """
    lines, turn = text.split("\n"), -1
    for begin, line in enumerate(lines):
        names = cells_of(line)
        if names[: len(columns)] != columns:
            continue
        turn += 1
        for at in range(begin + 2, len(lines)):
            if not lines[at].startswith("|"):
                break
            cells = cells_of(lines[at])
            values = values_of(cells, turn) or {}
            for column, name in enumerate(names):
                if (value := values.get(name)) not in (None, ""):
                    value = value if isinstance(value, tuple) else (float(value),)
                    cells[column] = with_numbers(cells[column], value)
            lines[at] = "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
    return "\n".join(lines)


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []


def named(values, text):
    """Fill ``name 0.123`` and ```name` 0.123``."""
    names = "|".join(map(re.escape, values))
    return re.sub(
        rf"(?<![\w.])((?:{names})`? )(\d\.\d+)",
        lambda found: found[1] + with_numbers(found[2], [float(values[found[1].strip("` ")])]),
        text,
    )


def in_part(begin, end, fill, text):
    """Fill what lies between two patterns, if it is there."""
    return re.sub(f"(?s)(?<={begin}).*?(?={end})", lambda found: fill(found[0]), text)


def means(name):
    return {row["score"]: row["mean"] for row in rows_of("unet_industrial", f"{name}.csv")}


def stages_of_defects():
    """Rows of the experiments that the weights shipped went through."""
    runs = {row["run"]: row for row in rows_of("unet_industrial", "experiments.csv")}
    stages = [row for row in runs.values() if "shipped as" in row["remark"]][-1:]
    while continued := re.match(r"from (\w+);", stages[0]["change"]):
        stages.insert(0, runs[continued[1]])
    return stages


def readme():
    spent = {"`unet_industrial`": tuple(float(stage["minutes"]) for stage in stages_of_defects())}
    yield partial(in_table, ["bundle", "held out"], lambda cells, _: {"trained in": spent.get(cells[0])})
    for bundle in ("unet_dsb", "unet_industrial", "unet3d_brats"):
        summary = read(bundle, "shipped", "summary.json")
        scores = {name: value for name, value in summary.items() if isinstance(value, float)}
        yield partial(in_part, rf"\n\| `{bundle}` \|", r"\n", partial(named, scores))
    yield partial(in_part, "\n- Defects:", r"\n- ", partial(named, means("folds")))
    (other,) = (
        row
        for row in rows_of("unet3d_brats", "leave_one_out.csv")
        if row["held_out"] == "BraTS-GLI-00000-000" and row["how"] == "evaluate.json"
    )
    yield partial(
        in_part,
        "\n- Tumours:",
        r"\n\n",
        partial(named, {name: value for name, value in other.items() if "dice" in name}),
    )
    pooled = read("unet_dsb", "reference", "summary.json")["iou_pooled"]
    yield partial(in_part, "reaches a pooled IoU of ", r" ", partial(with_numbers, values=[pooled]))
    for mode, words in (("train", "times in training"), ("infer", "times at inference")):
        ratios = [ratio(result) for result in benches("") if result["mode"] == mode and "overlays" not in result]
        values = [min(ratios), max(ratios)]
        yield lambda text, values=values, words=words: re.sub(
            rf"[\d.]+ to [\d.]+ (?={words})", lambda found: with_numbers(found[0], values), text
        )


def benches(folder):
    return [json.loads(file.read_text()) for file in sorted((RESULTS / "bench" / folder).glob("*.json"))]


def ratio(result):
    plain, shipped = result["variants"].values()
    return shipped["pictures_per_second"] / plain["pictures_per_second"]


def speed():
    by_turn = []
    for folder in ("", "avx2"):
        rows = {}
        for result in benches(folder):
            plain, shipped = result["variants"].values()
            name = ", ".join(f"`{part}`" for part in [result["bundle"], *result.get("overlays", [])])
            size = " x ".join(map(str, [result["batch_size"], *result["size"]]))
            rows[name, result["mode"], size] = {
                "plain": (f"{plain['pictures_per_second']:.3g}",),
                "shipped": (f"{shipped['pictures_per_second']:.3g}",),
                "ratio": ratio(result),
                "ms per batch": shipped["latency_ms_p50"],
                "MB": shipped["peak_memory_mb"],
            }
        by_turn.append(rows)
    yield partial(in_table, ["bundle", "work", "batch"], lambda cells, turn: by_turn[turn].pop(tuple(cells[:3])))
    yield partial(in_table, ["bundle", "cases"], lambda cells, _: case(cells[0].strip("`")))
    older = {result["mode"]: ratio(result) for result in benches("avx512_bf16")}
    values = [older["train"], older["infer"]]
    yield partial(in_part, "million parameters\\)", "times", partial(with_numbers, values=values))


def case(bundle):
    alone, flipped = (read("bench", "avx2", "cases", f"{bundle}{end}.json") for end in ("", "_tta"))
    (plain, shipped), (_, flips) = ([*result["variants"].values()] for result in (alone, flipped))
    return {
        "cases": alone["cases"],
        "plain": plain["latency_ms_p50"],
        "shipped": shipped["latency_ms_p50"],
        "90 %": shipped["latency_ms_p90"],
        "ratio": ratio(alone),
        "with flips": flips["latency_ms_p50"],
        "MB": shipped["peak_memory_mb"],
    }


def card(bundle):
    summary = read(bundle, "shipped", "summary.json")
    yield lambda text: read_card(text, bundle).filled(summary)
    yield partial(
        in_table, [""], lambda cells, _: SHIPPED.get(cells[0]) and read(bundle, SHIPPED[cells[0]], "summary.json")
    )


def card_of_nuclei():
    yield from card("unet_dsb")
    runs = {"`reference.json`": "reference", "`train.json`": "shipped"}

    def values_of(cells, _):
        run = runs.get(cells[0].partition(",")[0])
        return run and {name: read("unet_dsb", run, "summary.json")[name] for name in ("iou_pooled", "iou")}

    yield partial(in_table, ["", "iou_pooled"], values_of)


def card_of_defects():
    yield from card("unet_industrial")
    types = rows_of("unet_industrial", "shipped", "metrics.csv")

    def values_of(cells, _):
        rows = [row for row in types if row["type"].startswith(f"{cells[0]}: ")]
        names = ("dice_defective", "IoU_THS_0.5", "IoU_THS_0.99")
        values = {name: [float(row[name]) for row in rows if row[name]] for name in names}
        return {name: sum(each) / len(each) for name, each in values.items()} | {"number": len(rows)}

    yield partial(in_table, ["class", "number"], values_of)


def card_of_tumours():
    yield from card("unet3d_brats")
    rows = {}
    for row in rows_of("unet3d_brats", "leave_one_out.csv"):
        rows[row["held_out"], row["how"], row["missing"]] = row

    def values_of(cells, _):
        held_out, how = cells[:2]
        if "tta" in how:
            return rows[held_out, "evaluate_tta.json", ""]
        missing = " ".join(re.findall("without (.+)", how)).lower()
        missing = "t1 t2" if "alone" in how else missing
        return rows[held_out, "evaluate_missing.json" if missing else "evaluate.json", missing]

    yield partial(in_table, ["held out", "modalities"], values_of)
    results, curve = (
        read("unet3d_brats", "reference", "summary.json"),
        rows_of("unet3d_brats", "reference", "curves.csv"),
    )
    first, last = (float(row["loss"]) for row in (curve[0], curve[-1]))
    minutes = sum(float(row["seconds"]) for row in curve) / 60
    for begin, end, *values in (
        ("brought the loss from ", " in the first", first),
        ("ten steps to ", " in the last", last),
        ("held out, WholeTumor is ", " [(]", *(results[name] for name in ("WholeTumor", "MeanDice", "TumorCore"))),
        ("--epoch_length 10`, ", " minutes", minutes),
    ):
        yield partial(in_part, begin, end, partial(with_numbers, values=values))


def own_defects():
    runs = {(row["set"], row["recipe"], row["steps"]): row for row in rows_of("unet_industrial", "any_surface.csv")}

    def values_of(cells, _):
        row = runs[cells[0], cells[1], cells[2].replace(",", "")]
        return {column: row[column] for column in ("dice_defective", "image_ap", "pixel_ap") if row[column]}

    yield partial(in_table, ["set", "recipe", "steps"], values_of)
    q, p = 1 / 7, 1 / 700
    yield partial(in_part, "20 becomes ", r"\.\s", partial(with_numbers, values=[20 * p * (1 - q) / (q * (1 - p))]))
    # None of n missed: with a miss rate above 1 - 0.05 ** (1 / n) that has a chance below 5 %.
    yield partial(
        in_table,
        ["defective pictures in the validation share"],
        lambda cells, _: {
            "about, in all": 10 * int(cells[0]),
            "none of them missed means, with 95 % confidence, at most": (
                f"{100 * (1 - 0.05 ** (1 / int(cells[0]))):.2g}",
            ),
        },
    )


PAGES = {
    ROOT / "README.md": readme,
    ROOT / "docs" / "speed.md": speed,
    ROOT / "docs" / "own_defects.md": own_defects,
    ROOT / "bundles" / "unet_dsb" / "docs" / "README.md": card_of_nuclei,
    ROOT / "bundles" / "unet_industrial" / "docs" / "README.md": card_of_defects,
    ROOT / "bundles" / "unet3d_brats" / "docs" / "README.md": card_of_tumours,
}


def filled(page, text=None):
    """A page with the numbers of the results."""
    text = page.read_text(encoding="utf-8") if text is None else text
    for fill in PAGES[page]():
        text = fill(text)
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page), encoding="utf-8")
