import numpy as np

from shared.handlers import contours
from shared.handlers.contours import BOTH, PREDICTION, TRUTH, draw_contours


def test_colours_say_who_drew_a_contour():
    truth, found = np.zeros((5, 700), int), np.zeros((5, 700), int)
    truth[1:4, 10:13] = truth[1:4, 30:33] = 1
    found[1:4, 20:23] = found[1:4, 30:33] = 1
    grey = np.linspace(-3, 7, 5 * 700).reshape(5, 700, 1)
    picture = draw_contours(grey, found, truth)
    assert picture.shape == (5, 700, 3)
    corner = [tuple(picture[1, x]) for x in (10, 20, 30)]
    assert corner == [TRUTH, PREDICTION, BOTH]
    assert tuple(picture[0, 0]) == (0, 0, 0) and tuple(picture[-1, -1]) == (255, 255, 255)
    assert tuple(picture[2, 350]) == (127, 127, 127)


def test_small_pictures_are_enlarged_by_a_whole_factor():
    assert draw_contours(np.zeros((7, 100, 3)), np.zeros((7, 100), int)).shape == (70, 1000, 3)
    assert draw_contours(np.zeros((1, 1, 3)), np.zeros((1, 1), int)).shape == (1024, 1024, 3)
    assert draw_contours(np.zeros((3, 2000, 3)), np.zeros((3, 2000), int)).shape == (3, 2000, 3)


def test_strips_leave_no_trace(monkeypatch):
    generator = np.random.default_rng(0)
    for shape in [(61, 900, 1), (40, 47, 3)]:
        grey, found, truth = generator.random(shape), *generator.integers(0, 3, (2, *shape[:2]))
        whole = draw_contours(grey, found, truth)
        monkeypatch.setattr(contours, "STRIP", 3 * shape[1])
        assert np.array_equal(draw_contours(grey, found, truth), whole)
        monkeypatch.undo()
