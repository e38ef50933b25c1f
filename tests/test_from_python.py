"""What docs/python.md shows, for all bundles, packed and not; and what MONAI's own tools do with their properties."""

import copy
import json
import re
import shutil
import sys
import zipfile

import pytest
import torch
from monai.bundle import create_workflow
from monai.fl.client.monai_algo import MonaiAlgo
from monai.fl.utils.exchange_object import ExchangeObject
from monai.networks.utils import get_state_dict
from packing import BUNDLES, package_of
from running import DATA, FEATURES, ROOT, table

from shared.deploy import pack_bundle
from shared.errors import user_error_behind

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
TINY = {"device": "cpu", "network_def::features": FEATURES, "patch_size": [96, 96], "val_interval": 1}
SMALL = {
    "unet_dsb": TINY,
    "unet_industrial": TINY,
    "unet3d_brats": TINY | {"network_def::features": [4, 4, 8], "patch_size": [32, 32, 32]},
}

pytestmark = pytest.mark.filterwarnings("ignore:executing the bundle config:UserWarning")


@pytest.fixture(params=[f"{name} {how}" for name in BUNDLES for how in ("as it is", "packed")])
def place(request, tmp_path, monkeypatch):
    """A folder as the page takes it, with the bundle at its place and small data; the bundle's name."""
    name, _, how = request.param.partition(" ")
    target, data = tmp_path / "bundles" / "unet_dsb", request.getfixturevalue(DATA[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    if how == "packed":
        pack_bundle(ROOT / "bundles" / name, "dist")
        with zipfile.ZipFile(f"dist/{name}.zip") as archive:
            archive.extractall("dist")
        target.parent.mkdir()
        (tmp_path / "dist" / name).rename(target)
    else:
        shutil.copytree(ROOT / "bundles" / name, target)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dsb").symlink_to(data)
    files = sorted(path for path in (data.parent / "raw").rglob("*") if path.is_file() and "abel" not in str(path))
    if name == "unet3d_brats":
        shutil.copytree(next(path.parent for path in files if path.name.endswith("_t1.nii.gz")), "my_images/case")
    else:
        (tmp_path / "my_images").mkdir()
        picture = next(path for path in files if path.suffix.lower() == ".png" and "mask" not in str(path))
        shutil.copy(picture, "my_images/a.png")
    yield name
    for module in [module for module in sys.modules if module.startswith(package_of(name))]:
        del sys.modules[module]  # another folder has another copy of that name


def test_the_programs_of_the_page_train_and_segment_for_every_bundle(place, tmp_path):
    segment, train, _ = PROGRAMS
    assert all(len(program.strip().replace("\n\n", "\n").splitlines()) <= 5 for program in PROGRAMS)
    small = f", epochs=1, **{SMALL[place]!r})\nworkflow.run()"
    exec(train.replace(")\nworkflow.run()", small), {})
    assert json.loads((tmp_path / "trained" / "run.json").read_text())["config"]["epochs"] == 1
    assert len(table(tmp_path / "trained" / "metrics.csv")) > 0
    quick = ', engine="eager", device="cpu")\nworkflow'
    exec(segment.replace(")\nworkflow", quick), {})
    exec(segment.replace(")\nworkflow", quick).replace('"nuclei"', '"again"').replace(".run()", ".evaluator.run()"), {})
    for results in ("nuclei", "again"):
        assert not any(row["error"] for row in table(tmp_path / results / "findings.csv"))
    names = sorted(path.name for path in (tmp_path / "nuclei").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for file in set(names) - {"run.json"}:
        one, two = ((tmp_path / results / file).read_bytes() for results in ("nuclei", "again"))
        if file.endswith(".csv"):  # with the seconds that each took
            continue
        assert one == two or file.endswith(".gz"), file


def test_a_federated_client_trains_and_evaluates(place, tmp_path):
    options = SMALL[place] | {"dataset_dir": "data/dsb"}
    evaluation = {key: options[key] for key in ("dataset_dir", "device")}
    kwargs = {"train_kwargs": options | {"epochs": 2, "output_dir": "client"}, "eval_kwargs": evaluation}
    weights = {"checkpoint": "client/model.pt"}
    client = MonaiAlgo("bundles/unet_dsb", config_evaluate_filename=None, **kwargs)
    client.initialize()
    rates = []
    for number in (1, 2):
        before = {key: value.clone() for key, value in get_state_dict(client.trainer.network).items()}
        client.train(ExchangeObject(weights=before))
        assert client.trainer.state.epoch == number
        change = client.get_weights().weights
        assert sum(value.float().abs().sum().item() for value in change.values()) > 0
        rates.append(client.trainer.optimizer.param_groups[0]["lr"])
    assert rates[1] < rates[0] < 1e-2
    client.train_workflow.parser["epochs"] = 2
    with pytest.raises(Exception) as raised:  # a third round, of which the schedule does not know
        client.train(ExchangeObject(weights=before))
    assert "epochs: the learning rate falls over 2" in str(user_error_behind(raised.value) or raised.value)
    evaluator = MonaiAlgo("bundles/unet_dsb", config_train_filename=None, eval_kwargs=evaluation | weights)
    evaluator.initialize()
    weights = copy.deepcopy(get_state_dict(evaluator.evaluator.network))  # as if they came from elsewhere
    returned = evaluator.evaluate(ExchangeObject(weights=weights))
    assert any(0 <= value <= 1 for value in returned.metrics.values())


def test_a_folder_in_use_is_refused_by_the_properties_too(nuclei, nuclei_raw, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    bundle = ROOT / "bundles" / "unet_dsb"
    ways = (("train", "train", "trainer", nuclei), ("inference", "infer", "evaluator", nuclei_raw))
    for config, kind, engine, data in ways:
        workflow = create_workflow(
            config_file=str(bundle / "configs" / f"{config}.json"),
            bundle_root=str(bundle),
            workflow_type=kind,
            logging_file=False,
            dataset_dir=str(data),
            output_dir=str(tmp_path / "mine"),
            device="cpu",
        )
        with pytest.raises(Exception) as raised:
            getattr(workflow, engine).run()
        assert "mine is not empty" in str(user_error_behind(raised.value))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.filterwarnings("ignore")  # of its own
@pytest.mark.parametrize("name", BUNDLES)
def test_mlflow_follows_training_and_evaluation(name, request, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="pip install mlflow")
    bundle, data = ROOT / "bundles" / name, str(request.getfixturevalue(DATA[name]))
    configs = [str(bundle / "configs" / f"{config}.json") for config in ("train", "evaluate", "mlflow_evaluate")]
    common = {"bundle_root": str(bundle), "logging_file": False, "dataset_dir": data, "device": "cpu"}
    trained, scored = tmp_path / "trained", tmp_path / "scored"
    create_workflow(
        config_file=configs[0], output_dir=str(trained), epochs=1, tracking="mlflow", **common | SMALL[name]
    ).run()
    create_workflow(
        config_file=configs[:2],
        output_dir=str(scored),
        checkpoint=str(trained / "model.pt"),
        tracking=configs[2],
        **common,
    ).run()
    for folder, metric in ((trained, "train_loss"), (scored, "dice")):
        client = mlflow.MlflowClient(f"sqlite:///{folder}/mlruns.db")
        runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
        assert any(key.startswith(metric) for run in runs for key in run.data.metrics)


def test_a_yaml_configuration_trains(nuclei, tmp_path):
    yaml = pytest.importorskip("yaml", reason="pip install -r requirements.txt")
    bundle = ROOT / "bundles" / "unet_dsb"
    content = json.loads((bundle / "configs" / "train.json").read_text())
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(content))
    workflow = create_workflow(
        config_file=str(tmp_path / "train.yaml"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        bundle_root=str(bundle),
        dataset_dir=str(nuclei),
        output_dir=str(tmp_path / "run"),
        epochs=1,
        **TINY,
    )
    workflow.run()
    assert torch.load(tmp_path / "run" / "model.pt", weights_only=True)
