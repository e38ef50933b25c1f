import torch
from PIL import Image

from shared.handlers import Overlays


def test_worst_median_and_best_are_written(evaluator, tmp_path):
    def case(name, found, truth):
        image, label = torch.zeros(1, 7, 5), torch.zeros(1, 7, 5)  # MONAI's order: width 7, height 5
        image[:, :found] = label[:, :truth] = 1
        return {"id": name, "image": image, "label": label}

    long = f"{'sub' * 80}/full"
    cases = [case("half", 2, 4), case(long, 4, 4), case("most", 3, 4), case("empty", 0, 0)]
    evaluator(cases, [Overlays(tmp_path, "dice")]).run()
    names = sorted(path.name for path in (tmp_path / "overlays").iterdir())
    end = f"{'sub' * 48}__full"  # 150 letters are kept
    assert names == [f"best_dice_1.000_{end}.png", "median_dice_0.857_most.png", "worst_dice_0.667_half.png"]
    with Image.open(tmp_path / "overlays" / names[0]) as picture:
        assert picture.width / picture.height == 7 / 5
