"""The right document, then the right page, through the real search by words, in both languages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import BlockKind
from retrieval.trial import LABEL, Corpus, Source
from retrieval.types import EVERYTHING, Scope

ALL = Scope(subject="all", labels=frozenset({LABEL}), collections=frozenset({EVERYTHING}))

COVER = "FORM 10-K\nFor the fiscal year ended December 31, {year}\n{company}\n(Exact name of registrant as specified)"
SHEET = ("CONSOLIDATED BALANCE SHEETS\n(In thousands)", "Inventories | {0}1 | 7\nTotal current assets | {0}2 | 8")
REST = "Total current liabilities | {0}3 | 9"
TALK = (
    "The company sees its ratio of orders to sales improve quickly, and has said so to all who asked.",
    "Whether a ratio has improved or declined is what analysts like to know; a quick look is enough.",
    "Nothing is said here of figures: the company improved its service, and declined to give a ratio.",
)
COVER_ZH = "{company}\n{year}年年度报告\n重要提示：本公司董事会保证报告内容真实、准确、完整。"
SHEET_ZH = ("合并资产负债表\n（单位：千元）", "存货 | {0}1 | 7\n流动资产合计 | {0}2 | 8")
REST_ZH = "流动负债合计 | {0}3 | 9"
TALK_ZH = (
    "公司认为订单的比率正在改善，并且已经告诉所有询问的人。",
    "比率是改善还是下降，是分析师想知道的，快速看一眼就够了。",
    "这里没有谈到数字：公司改善了服务，没有给出比率。",
)
SHEET_PAGE = 5


def report(number: int, cover: str, sheet: tuple[str, str], rest: str, talk: tuple[str, ...]) -> Source:
    """Build a report whose cover alone says whose it is: the file is called like a scan."""
    texts = [(BlockKind.PARAGRAPH, cover), *((BlockKind.PARAGRAPH, f"{text} ({number})") for text in talk)]
    pages = []
    for at, (kind, text) in enumerate(texts, start=1):
        page = PageText()
        page.add(kind, text)
        pages.append(page.page(at))
    page = PageText()
    page.add(BlockKind.PARAGRAPH, sheet[0])
    page.add(BlockKind.TABLE, sheet[1].format(number) + "\n" + rest.format(number))
    pages.append(page.page(SHEET_PAGE))
    return Source(id=f"r{number}", name=f"scan-{number}.pdf", pages=pages, collection=f"c{number}")


REPORTS = (
    report(1, COVER.format(year=2021, company="HARBOUR TRADING COMPANY, INC."), SHEET, REST, TALK),
    report(2, COVER.format(year=2022, company="Harbour Trading Company, Inc."), SHEET, REST, TALK),
    report(3, COVER.format(year=2022, company="FJORD WATER WORKS PLC"), SHEET, REST, TALK),
    report(4, COVER_ZH.format(year=2021, company="青禾纸业股份有限公司"), SHEET_ZH, REST_ZH, TALK_ZH),
    report(5, COVER_ZH.format(year=2022, company="青禾纸业股份有限公司"), SHEET_ZH, REST_ZH, TALK_ZH),
    report(6, COVER_ZH.format(year=2022, company="远山机械有限公司"), SHEET_ZH, REST_ZH, TALK_ZH),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder: Path = tmp_path_factory.mktemp("filings")
    with Corpus.open(folder, []) as made:
        made.fill(REPORTS, lambda _: None)
        yield made


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Has Harbour Trading's quick ratio improved or declined in FY2021?", "r1"),
        ("Has Harbour Trading's quick ratio improved or declined in FY2022?", "r2"),
        ("Has the quick ratio of Fjord Water Works improved or declined in 2022?", "r3"),
        ("青禾纸业2021年的速动比率是改善还是下降？", "r4"),
        ("青禾纸业2022年的速动比率是改善还是下降？", "r5"),
        ("远山机械2022年的速动比率是改善还是下降？", "r6"),
    ],
)
def test_the_balance_sheet_of_the_right_report_is_found(corpus: Corpus, question: str, expected: str) -> None:
    found = corpus.ask(question, ALL, k=4)
    assert {place.document for place in found} == {expected}
    assert found[0].page == SHEET_PAGE


def test_without_a_company_any_report_may_come(corpus: Corpus) -> None:
    found = {place.document for place in corpus.ask("Has the ratio improved or declined?", ALL, k=12)}
    assert len(found) > 2


def test_other_documents_of_the_company_come_before_all_others(corpus: Corpus) -> None:
    order = list(dict.fromkeys(p.document for p in corpus.ask("Harbour Trading's ratio in FY2021", ALL, k=100)))
    assert order[:2] == ["r1", "r2"]
    assert set(order) > {"r1", "r2"}


def test_a_hidden_report_is_not_found_however_it_is_named(corpus: Corpus) -> None:
    found = corpus.ask("Harbour Trading's quick ratio in FY2021", ALL.within("c2"), k=100)
    assert {place.document for place in found} == {"r2"}
    assert corpus.ask("Harbour Trading's quick ratio in FY2021", Scope.nobody(), k=5) == []
