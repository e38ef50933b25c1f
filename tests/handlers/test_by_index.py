from shared.handlers.by_index import gather_by_index


def test_rows_stay_in_the_order_seen_and_those_to_count_come_by_index():
    rows, once = gather_by_index([[7, 0.5], [2, 0.25], [7, 0.75], [0, 1]], 2)
    assert rows.tolist() == [[7, 0.5], [2, 0.25], [7, 0.75], [0, 1]]
    assert once.tolist() == [3, 1, 0]


def test_a_process_that_saw_nothing_has_no_rows():
    rows, once = gather_by_index([], 3)
    assert rows.shape == (0, 3) and once.shape == (0,)
