"""The reference recipe of unet3d_brats against rewrites of its description, number by number.

The rewrites swap the first two axes of a volume, as the reference does: (modality, y, x, z).
"""

import copy
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.transforms import Compose
from running import ROOT

from shared.datasets.brats import prepare

CONFIGS = ROOT / "bundles" / "unet3d_brats" / "configs"
GREATEST = {"t1": 1009, "t1ce": 2003, "t2": 997, "flair": 503}  # primes: no level is a whole number before it is cut


def recipe(**options):
    torch.manual_seed(0)
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / "train.json"), str(CONFIGS / "reference.json")])
    for name, value in {"device": "cpu", "network_def::features": [4, 4, 8], "begin": [], **options}.items():
        parser[name] = value
    return parser


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Two cases of noise, one of BraTS' shape and one of odd sides, and what the reference makes of them."""
    folder = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    for name, shape in (("whole", (240, 240, 155)), ("odd", (231, 127, 101))):
        (folder / "raw" / "HGG" / name).mkdir(parents=True)
        volumes = {"seg": np.array([0, 1, 2, 4], np.int16)[random.integers(0, 4, shape, np.uint8)]}
        for modality, greatest in GREATEST.items():
            volumes[modality] = random.integers(-greatest // 2, greatest + 1, shape, np.int16).clip(0)
            volumes[modality][1, 2, 3] = greatest
        for what, values in volumes.items():
            image = nib.Nifti1Image(values, np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]))
            nib.save(image, folder / "raw" / "HGG" / name / f"{name}_{what}.nii")
    prepare(folder / "raw", folder / "data", num_folds=2, num_workers=1)
    yield folder / "data", {name: stored(folder / "raw" / "HGG" / name) for name in ("whole", "odd")}
    shutil.rmtree(folder)


def stored(folder):
    """What the reference packs: modalities in 8 bits, z-scored (as it does when it reads them), and labels."""
    files = {what: nib.load(folder / f"{folder.name}_{what}.nii").dataobj for what in (*GREATEST, "seg")}
    labels = np.asarray(files["seg"]).transpose(1, 0, 2).astype(np.uint8)
    labels[labels == 4] = 3
    image = np.zeros((4, *labels.shape), np.float32)
    for channel, modality in zip(image, GREATEST, strict=True):
        values = np.asarray(files[modality]).transpose(1, 0, 2).astype(np.int32)
        levels = np.minimum(255, 255 * 100 * values // (85 * values.max()))
        inside = levels[levels > 0].astype(float)
        channel[levels > 0] = (inside - inside.mean()) / (inside.std() + 1e-8)
    return image, labels


def padded(array, sides, share):
    """With zeros, a share of them in front."""
    more = [max(0, side - there) for side, there in zip(sides, array.shape[-3:], strict=True)]
    front = [int(number * share) for number in more]
    return np.pad(array, [(0, 0)] * (array.ndim - 3) + [(f, m - f) for f, m in zip(front, more, strict=True)])


def seen(array):
    """What the reference evaluates on; of a smaller case what there is."""
    starts = [max(0, (there - side) // 2) for there, side in zip(array.shape[-3:], (224, 224, 155), strict=True)]
    window = [slice(start, start + side) for start, side in zip(starts, (224, 224, 155), strict=True)]
    return padded(array[(..., *window)], (224, 224, 160), 0)


def swapped(tensor):
    """From the axes of the bundle to those of the reference."""
    return tensor.numpy().transpose(0, 2, 1, 3)


def held_out(noise, name):
    """The recipe with this case held out; the modalities themselves stand for what a network says of the labels."""
    folds = {case["id"]: case["fold"] for case in json.loads((noise[0] / "datalist.json").read_text())["training"]}
    options = {"network": {"_target_": "torch.nn.Identity"}, "validate::handlers": []}
    return recipe(dataset_dir=str(noise[0]), fold=folds[name], **options)


@pytest.fixture(scope="module")
def evaluation(noise):
    return held_out(noise, "whole")


def test_what_is_evaluated_is_what_the_reference_makes_of_the_files(noise, evaluation):
    for name, parser in (("whole", evaluation), ("odd", held_out(noise, "odd"))):
        (item,) = parser.get_parsed_content("validate::dataset")
        image, labels = noise[1][name]
        assert item["image"].shape == (4, 224, 224, 160)
        assert np.abs(swapped(item["image"]) - seen(image)).max() < 1e-4
        assert np.array_equal(swapped(item["seen_label"])[0], seen(labels))
        assert np.array_equal(swapped(item["label"])[0], labels)


def test_the_figures_and_labels_of_an_evaluation_are_the_reference_s(noise, evaluation):
    evaluator = evaluation.get_parsed_content("validate::evaluator")
    evaluator.run()
    (item,), (output,) = evaluator.state.batch, evaluator.state.output
    later = recipe(rule="head").get_parsed_content("validate::key_metric")["MeanDice"]
    later = later.of_case(output["seen_pred"], item["seen_label"], {})
    logits, true = map(seen, noise[1]["whole"])
    share, likeliest = np.exp(logits), logits.argmax(0)
    share /= share.sum(0)
    for figures, found in (
        (evaluator.state.metrics, [share[number] > 0.5 for number in (1, 2, 3)]),
        (later, [likeliest == number for number in (1, 2, 3)]),
    ):
        pairs = [(mask, true == number) for number, mask in enumerate(found, start=1)]
        pairs.append((found[0] | found[1] | found[2], true > 0))
        dice = [2 * (one & other).sum() / (one.sum() + other.sum() + 1e-5) for one, other in pairs]
        names = ("TumorCore", "PeritumoralEdema", "EnhancingTumor", "WholeTumor", "MeanDice")
        assert figures == pytest.approx(dict(zip(names, (*dice, sum(dice[:3]) / 3), strict=True)), rel=1e-5)
    whole = np.zeros((240, 240, 155))  # what it never sees is background
    whole[8:232, 8:232] = likeliest[..., :155]
    assert (swapped(output["pred"])[0] != whole).mean() < 1e-5


def cut_at(patch, labels):
    """Where a patch of labels was cut from the whole, and whether it was mirrored then."""
    found = []
    for mirrored in (False, True):
        straight = patch[:, ::-1] if mirrored else patch
        fits = np.ones([side - 127 for side in labels.shape], bool)
        for voxel in np.random.default_rng(0).integers(0, 128, (60, 3)):
            window = tuple(slice(start, start + room) for start, room in zip(voxel, fits.shape, strict=True))
            fits &= labels[window] == straight[tuple(voxel)]
        found += [(*corner, mirrored) for corner in np.argwhere(fits).tolist()]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("name", ["whole", "odd"])
def test_what_is_learned_from_is_a_patch_that_the_reference_could_draw(noise, name):
    dataset = held_out(noise, "odd" if name == "whole" else "whole").get_parsed_content("train::dataset")
    assert [case["id"] for case in dataset.data] == [name]
    image, labels = (padded(array, (128, 128, 128), 0.5) for array in noise[1][name])
    dataset.transform.set_random_state(0)
    draws = []
    for _ in range(5):
        item = dataset[0]
        patch = swapped(item["label"])[0]
        y, x, z, mirrored = cut_at(patch, labels)
        window = (..., slice(y, y + 128), slice(x, x + 128), slice(z, z + 128))
        left_to_right = (..., slice(None, None, -1 if mirrored else 1), slice(None))
        assert np.array_equal(patch, labels[window][left_to_right])
        expected = image[window][left_to_right]
        added, above = swapped(item["image"]) - expected, expected > 0
        amounts = [channel[mask].mean() for channel, mask in zip(added, above, strict=True)]
        brightened = max(amounts) > 0.5
        if brightened:
            assert all(0.9 <= amount <= 1.1 for amount in amounts) and np.ptp(amounts) > 0.001
            added -= above * np.array(amounts, np.float32)[:, None, None, None]
        assert np.abs(added).max() < 1e-4
        draws.append((y, x, z, mirrored, brightened))
    assert len({draw[:3] for draw in draws}) == 5
    assert [len({draw[kind] for draw in draws}) for kind in (3, 4)] == [2, 2]


@pytest.mark.parametrize(("augment", "share"), [(True, 0.5), (False, 0)])
def test_patches_flips_and_brightness_come_as_often_as_in_the_reference(augment, share):
    steps = recipe(patch_size=[4, 4, 4], augment=augment).get_parsed_content("train::random_transforms")
    transform = Compose(steps).set_random_state(0)
    image, label = torch.ones(4, 7, 8, 5), torch.arange(7 * 8 * 5).reshape(1, 7, 8, 5)
    draws = []
    for _ in range(300):
        item = transform({"image": image, "label": label})
        first, last = item["label"][0, [0, 3], 0, 0].tolist()
        corner = np.unravel_index(min(first, last), label.shape[1:])
        draws.append((*corner, first > last, *(item["image"] - 1)[:, 0, 0, 0].tolist()))
    *corners, mirrored, bright = *np.array(draws).T[:4], np.array(draws)[:, 4:]
    for starts, room in zip(corners, (4, 5, 2), strict=True):  # the reference never draws the last, of 113 and of 28
        assert np.bincount(starts.astype(int)) / 300 == pytest.approx(np.full(room, 1 / room), abs=0.08)
    changed = bright.any(axis=1)
    assert (mirrored.mean(), changed.mean()) == pytest.approx((share, share), abs=0.08)
    assert (mirrored * changed).mean() == pytest.approx(share**2, abs=0.08)
    if augment:
        assert 0.9 <= bright[changed].min() < 0.91 and 1.09 < bright.max() <= 1.1
        assert np.abs(np.corrcoef(bright[changed].T) - np.eye(4)).max() < 0.25


def test_batches_go_on_from_one_order_of_the_cases_to_the_next():
    parser = recipe(**{"train::dataset": list(range(7)), "train::cases": list(range(7))})
    batches = [batch.tolist() for batch in parser.get_parsed_content("train::dataloader")]
    assert len(batches) == 100 and {len(batch) for batch in batches} == {2}
    drawn = np.ravel(batches)[:196].reshape(28, 7)
    assert (np.sort(drawn) == np.arange(7)).all()
    assert len(np.unique(drawn, axis=0)) > 25


@pytest.mark.parametrize(("schedule", "differing"), [("constant", []), ("piecewise", [8000, 12000])])
def test_the_rate_of_each_of_the_16000_steps(schedule, differing):
    """TensorFlow's intervals include their ends, so that its rate falls one step after the end of our epoch."""
    parser = recipe(schedule=schedule)
    number = [handler["_target_"] for handler in parser["train::handlers"]].index("LrScheduleHandler")
    handler, optimizer = (parser.get_parsed_content(f"train::{it}") for it in (f"handlers::{number}", "optimizer"))
    optimizer.step()
    rates = []
    engine = Engine(lambda engine, batch: rates.append(optimizer.param_groups[0]["lr"]))
    handler.attach(engine)
    engine.run(range(parser["epoch_length"]), max_epochs=parser["epochs"])
    expected = [2e-4 / (4 if n <= 8000 else 5 if n <= 12000 else 20) for n in range(16000)]
    if schedule == "constant":
        expected = [2e-4] * 16000
    pairs = zip(rates, expected, strict=True)
    assert [n for n, (rate, other) in enumerate(pairs) if abs(rate / other - 1) > 1e-9] == differing
    assert parser.get_parsed_content("val_interval") == 160  # once, so that the last network is the one kept


def loss_of(logits, truth, terms):
    """Class by class, with what TensorFlow adds inside its logarithms."""
    power = (logits - logits.amax(1, keepdim=True)).exp()
    shares, dice, entropy = power / power.sum(1, keepdim=True), 0, 0
    for number in (1, 2, 3):
        p, t = shares[:, number], (truth[:, 0] == number).float()
        overlap = 2 * (p * t).sum((1, 2, 3)) / (p.sum((1, 2, 3)) + t.sum((1, 2, 3)) + 1e-5)
        dice = dice + 1 - overlap.mean()
        q = p.clamp(1e-7, 1 - 1e-7)
        entropy = entropy - (t * (q + 1e-7).log() + (1 - t) * (1 - q + 1e-7).log()).mean()
    return {"dice": dice, "ce": entropy, "dice+ce": dice + entropy}[terms]


@pytest.mark.parametrize(("terms", "schedule"), [("dice+ce", "piecewise"), ("dice", "constant"), ("ce", "constant")])
def test_a_training_is_the_reference_s_arithmetic_step_by_step(heads, terms, schedule):
    """Its batches again, with the loss and the rates written out."""
    options = {"dataset_dir": str(heads), "patch_size": [16, 16, 16], "epochs": 4, "epoch_length": 2}
    parser = recipe(**options, loss_terms=terms, schedule=schedule)
    kept = ("Reseed", "ClipGradient", "LrScheduleHandler")
    parser["train::handlers"] = [h for h in parser["train::handlers"] if h["_target_"].endswith(kept)]
    trainer, network = (parser.get_parsed_content(name) for name in ("train::trainer", "network"))
    before, again, steps = copy.deepcopy(network), copy.deepcopy(network), []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: steps.append((e.state.batch, e.state.output)))
    trainer.run()
    assert (len(parser["train::handlers"]), len(steps)) == (3, 8)
    adam = torch.optim.Adam(again.parameters())
    for step, (batch, output) in enumerate(steps):
        loss = loss_of(again(batch["image"]), batch["label"], terms)
        assert output["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
        adam.zero_grad()
        loss.backward()
        adam.param_groups[0]["lr"] = 2e-4 / (1 if schedule == "constant" else (4, 4, 4, 4, 5, 5, 20, 20)[step])
        adam.step()
    first, found, last = (torch.cat([p.detach().flatten() for p in n.parameters()]) for n in (before, network, again))
    assert (found - last).abs().mean() < 1e-4 * (last - first).abs().mean()


def test_adam_is_that_of_tensorflow():
    """Its epsilon is on another scale there, of which gradients of about 1 see nothing."""
    optimizer = recipe().get_parsed_content("train::optimizer")
    weight = optimizer.param_groups[0]["params"][0]
    expected, mean, square = weight.detach().double(), 0.0, 0.0
    for step in range(1, 301):
        gradient = weight.grad = torch.randn_like(weight)
        optimizer.step()
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        rate = 2e-4 * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
        expected = expected - rate * mean / (square.sqrt() + 1e-8)
    assert (weight - expected).abs().max() < 1e-6
