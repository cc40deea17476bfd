"""Runs on a page find their rows, columns and tables."""

from retrieval.parsing.layout import regions
from retrieval.parsing.runs import Run
from retrieval.parsing.tables import find_tables, row_text


def run(text, x, y, *, width=None, size=10.0):
    return Run(text=text, x0=x, top=y, x1=x + (width or 5 * len(text)), bottom=y + size, size=size, bold=False)


def rows_of(runs):
    """The rows of a page that has a single region."""
    (rows,) = regions(runs)
    return rows


def texts(runs):
    return [[[one.text for one in row.runs] for row in region] for region in regions(runs)]


def test_no_runs_make_no_regions():
    assert regions([]) == []


def test_rows_are_sorted_whatever_the_stream_says():
    assert texts([run("c", 50, 40), run("b", 90, 10), run("a", 50, 10)]) == [[["a", "b"], ["c"]]]


def test_a_raised_number_stays_in_its_row():
    assert texts([run("word", 50, 100), run("2", 71, 97, size=6), run("next", 50, 113)]) == [[["word", "2"], ["next"]]]


def test_three_columns_of_prose():
    columns = [[f"column {c} row {r} with more words" for r in range(8)] for c in range(3)]
    runs = [run(columns[c][r], 40 + 190 * c, 100 + 12 * r) for r in range(8) for c in range(3)]
    flat = [text for region in texts(runs) for row in region for text in row]
    assert flat == [text for column in columns for text in column]


def test_columns_of_numbers_stay_in_rows():
    runs = [run(f"Position number {r}", 40, 100 + 12 * r) for r in range(10)]
    runs += [run(f"{r},{c}00", 250 + 80 * c, 100 + 12 * r) for r in range(10) for c in range(3)]
    assert all(len(row.runs) == 4 for row in rows_of(runs))


def test_a_table_of_terms_and_meanings_stays_in_rows():
    runs = [run(f"Term {r}", 40, 100 + 12 * r) for r in range(8)]
    runs += [run(f"means that the rule number {r} applies here", 200, 100 + 12 * r) for r in range(8)]
    assert len(rows_of(runs)) == 8


def test_three_rows_beside_each_other_are_too_few_for_columns():
    runs = [run(f"words on the left row {r}", x, 100 + 12 * r) for r in range(3) for x in (40, 300)]
    assert len(rows_of(runs)) == 3


def test_a_table_begins_and_ends_where_its_cells_do():
    runs = [run("A sentence that runs across the whole of the page as prose does", 40, 80)]
    runs += [run(f"Row {r}", 40, 100 + 14 * r) for r in range(4)]
    runs += [run(f"{r}.5", 300, 100 + 14 * r) for r in range(4)]
    runs += [run("Another sentence that runs across the whole page", 40, 160)]
    assert find_tables(rows_of(runs)) == [(1, 5)]


def test_a_label_alone_stays_in_its_table_but_not_at_its_end():
    def line(y, label, *numbers):
        return [run(label, 40, y), *(run(number, 250 + 60 * i, y) for i, number in enumerate(numbers))]

    runs = [*line(100, "Assets", "1", "2"), *line(114, "of which:"), *line(128, "Cash", "3", "4"), *line(142, "Note")]
    assert find_tables(rows_of(runs)) == [(0, 3)]


def test_gaps_that_do_not_meet_are_no_table():
    runs = [run("one", 40, 100), run("two", 200, 100), run("a much longer line than that", 40, 114, width=200)]
    runs += [run("far", 300, 114)]
    assert find_tables(rows_of(runs)) == []


def test_bullets_with_their_text_are_no_table():
    runs = [one for r in range(4) for one in (run("•", 40, 100 + 14 * r), run("some words of text", 60, 100 + 14 * r))]
    assert find_tables(rows_of(runs)) == []


def test_signs_keep_to_their_numbers():
    def written(*cells):
        (row,) = rows_of([run(cell, 40 + 100 * i, 100) for i, cell in enumerate(cells)])
        return row_text(row)

    assert written("Revenue", "$", "1,234", "$", "99") == "Revenue | $1,234 | $99"
    assert written("Margin", "12.5", "%", "(", "3", ")") == "Margin | 12.5% | (3)"
    assert written("Loss", "(56)", "(7)") == "Loss | (56) | (7)"
    assert written("(a)", "Fees", "12") == "(a) Fees | 12"
