"""What documents say of themselves: covers of filings and reports, releases, contracts, statutes, and file names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.facts.document import facts_of
from retrieval.facts.file import facts_of_name
from retrieval.facts.kinds import FAMILY, kind_in
from retrieval.facts.names import core_of, joined, short_forms_in, tokens_of
from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import TEXT, BlockKind, ParsedDocument
from retrieval.types import Box

TENK = """\
UNITED STATES
SECURITIES AND EXCHANGE COMMISSION
Washington, D.C. 20549
FORM 10-K
(Mark One)
☒ | ANNUAL REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE ACT OF 1934
For the fiscal year ended May 29, 2022
Commission file number: 001-00001
HARBOUR TRADING COMPANY, INC.
(Exact name of registrant as specified in its charter)
Delaware | 41-0274440
Title of each class | Trading Symbol(s) | Name of each exchange on which registered
Common Stock, $.10 par value | HTC | New York Stock Exchange"""

TENQ = """\
FORM 10-Q
QUARTERLY REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE SECURITIES EXCHANGE ACT OF 1934
For the Quarterly Period Ended {end}
HARBOUR TRADING PLC
(Exact name of Registrant as specified in its charter)"""

ANNUAL_ZH = """\
青禾纸业股份有限公司
2022年年度报告
公司代码：600000 公司简称：青禾纸业
重要提示"""


def document(*pages, heading=None):
    made = []
    for number, text in enumerate(pages, start=1):
        page = PageText()
        if heading and number == 1:
            page.add(BlockKind.HEADING, heading, level=1)
        for paragraph in text.split("\n\n"):
            page.add(BlockKind.PARAGRAPH, paragraph)
        made.append(page.page(number))
    return ParsedDocument(media_type=TEXT, pages=tuple(made))


def facts(*pages, name="file.pdf", **options):
    return facts_of(document(*pages, **options), name)


def test_the_cover_of_an_annual_filing():
    found = facts(TENK)
    assert (found.company, found.period, found.kind) == ("HARBOUR TRADING COMPANY, INC.", "FY2022", "10-K")
    assert found.names == ("HTC",)
    assert (found.title, found.language, found.date) == ("FORM 10-K", "en", None)
    assert dict(found.origins) == dict.fromkeys(("title", "company", "period", "language", "kind"), "cover")


@pytest.mark.parametrize(
    ("end", "months", "period"),
    [
        ("December 31, 2022", "Six", "2023-Q2"),
        ("September 30, 2022", "Three", "2023-Q1"),
        ("March 31, 2023", "Nine", "2023-Q3"),
        ("June 30, 2023", "Six", "2023-Q2"),
        ("July 2, 2023", "Six", "2023-Q2"),
        ("October 1, 2023", "Nine", "2023-Q3"),
        ("July 31, 2023", "Six", "2024-Q2"),
    ],
)
def test_a_quarter_is_that_of_the_fiscal_year(end, months, period):
    body = f"Three Months Ended {end} | {months} Months Ended {end}"
    assert facts(TENQ.format(end=end), body).period == period


def test_without_months_the_quarter_is_that_of_the_calendar():
    assert facts(TENQ.format(end="June 30, 2023")).period == "2023-Q2"


def test_a_current_report_bears_a_day():
    text = (
        "FORM 8-K\nCURRENT REPORT\nDate of Report (Date of earliest event reported): July 1, 2022 (June 30, 2022)\n"
        "HARBOUR PLC\n(Exact name of registrant as specified in its charter)"
    )
    found = facts(text)
    assert (found.kind, found.date, found.period, found.company) == ("8-K", "2022-07-01", None, "HARBOUR PLC")


def test_a_release_of_results():
    text = (
        "Harbour Trading Reports Fourth Quarter 2022 Results\n"
        "BERGEN, Norway, February 8, 2023 – Harbour Trading Company (NYSE: HTC) (“Harbour”) today reported results."
    )
    found = facts(text)
    assert (found.kind, found.period, found.date) == ("earnings_release", "2022-Q4", "2023-02-08")
    assert found.company == "Harbour Trading Company"
    assert set(found.names) == {"HTC", "Harbour"}


def test_a_title_may_go_on_in_the_next_line():
    text = "HARBOUR TRADING REPORTS FOURTH QUARTER AND\nFULL YEAR 2022 FINANCIAL AND OPERATING RESULTS\nSales rose."
    found = facts(text)
    assert (found.kind, found.period) == ("earnings_release", "FY2022")


def test_small_capitals_are_put_together():
    assert facts(TENK.replace("HARBOUR TRADING", "H ARBOUR T RADING")).company == "HARBOUR TRADING COMPANY, INC."
    assert facts(TENK.replace("HARBOUR TRADING", "PLAN B HARBOUR")).company == "PLAN B HARBOUR COMPANY, INC."


def test_a_release_without_a_ticker_is_of_whom_it_reports():
    found = facts("Harbour reports fiscal 2023 results and provides outlook for fiscal 2024\nNet sales rose.")
    assert (found.company, found.period, found.kind) == ("Harbour", "FY2023", "earnings_release")


@pytest.mark.parametrize(
    ("title", "kind", "period"),
    [
        ("2022年年度报告", "annual_report", "FY2022"),
        ("二〇二二年年度报告", "annual_report", "FY2022"),
        ("2023年第三季度报告", "quarterly_report", "2023-Q3"),
        ("2023年半年度报告", "interim_report", "2023-H1"),
    ],
)
def test_chinese_reports(title, kind, period):
    found = facts(f"青禾纸业股份有限公司\n{title}\n股票代码：600000 股票简称：青禾纸业\n重要提示")
    assert (found.company, found.kind, found.period) == ("青禾纸业股份有限公司", kind, period)
    assert found.language == "zh"
    assert "600000" in found.names


def test_the_code_of_a_listed_company_is_a_name():
    assert facts(ANNUAL_ZH).names == ("600000",)


def test_a_labelled_chinese_name():
    found = facts("2022年年度报告\n公司的中文名称：青禾纸业股份有限公司\n法定代表人：王某")
    assert found.company == "青禾纸业股份有限公司"


def test_a_contract_has_a_day_and_no_company():
    found = facts("SUPPLY AGREEMENT\ndated as of May 26, 2023\nbetween Harbour Trading Company, Inc. and Fjord AS")
    assert (found.kind, found.date, found.company, found.period) == ("contract", "2023-05-26", None, None)
    assert found.title == "SUPPLY AGREEMENT"
    found = facts("设备采购合同\n签订日期：2023年5月26日\n甲方：青禾纸业股份有限公司\n乙方：远山机械有限公司")
    assert (found.kind, found.date, found.company) == ("contract", "2023-05-26", None)


def test_a_statute_and_a_guideline():
    found = facts("中华人民共和国民法典\n（2020年5月28日第十三届全国人民代表大会第三次会议通过）\n第一编 总则")
    assert (found.kind, found.date) == ("statute", "2020-05-28")
    assert facts("Guideline for the Management of Asthma\nPublished 2021").kind == "guideline"
    assert facts("高血压防治指南\n2023年修订版").kind == "guideline"


def test_a_heading_is_the_title():
    found = facts("Body of the text.", heading="Annual Report 2022")
    assert found.title == "Annual Report 2022"
    assert ("title", "heading") in found.origins


def test_a_heading_that_stands_on_every_cover_is_none():
    assert facts(TENK, heading="UNITED STATES SECURITIES AND EXCHANGE COMMISSION").title == "FORM 10-K"


def test_the_lines_of_a_paragraph_are_those_of_the_paper():
    lines = TENK.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:at]) for at in range(len(lines))]
    boxes = [Box(x0=0, top=at, x1=100, bottom=at + 1) for at in range(len(lines))]
    page = PageText()
    page.add(BlockKind.PARAGRAPH, " ".join(lines), boxes=boxes, lines=starts)
    joined_up = ParsedDocument(media_type=TEXT, pages=(page.page(1, width=600, height=800),))
    found = facts_of(joined_up, "scan.pdf")
    assert (found.company, found.period, found.kind) == ("HARBOUR TRADING COMPANY, INC.", "FY2022", "10-K")
    assert found.title == "FORM 10-K"


def test_what_the_cover_lacks_the_file_name_says():
    found = facts("A picture.", "Some text about nothing.", name="HARBOUR_2022_10K.pdf")
    assert (found.company, found.period, found.kind) == ("HARBOUR", "FY2022", "10-K")
    assert {fact for fact, where in found.origins if where == "file name"} == {"company", "period", "kind"}


def test_the_cover_comes_before_the_file_name_and_keeps_its_name():
    found = facts(TENK, name="BLOCK_2016_10K.pdf")
    assert (found.company, found.period) == ("HARBOUR TRADING COMPANY, INC.", "FY2022")
    assert found.names == ("BLOCK", "HTC")


def test_a_cover_that_is_a_picture_is_read_with_the_page_after_it():
    assert facts("HARBOUR", TENK).company == "HARBOUR TRADING COMPANY, INC."


def test_other_names_are_those_made_of_the_own_words():
    text = "Here “Harbour,” the “Company” and “we” mean us. “Harbour China” is a joint venture; “HTC Plus” a card."
    assert facts(TENK, text).names == ("HTC", "Harbour")


def test_a_contraction_that_is_used_again_and_again_is_a_name():
    cover = TENK.replace("HARBOUR TRADING COMPANY, INC.", "American Express Company")
    assert "Amex" in facts(cover, "Amex Bank, Amex Flex and Amex Ventures.").names
    assert "Amex" not in facts(cover, "Amex Bank alone.").names


@pytest.mark.parametrize(
    ("name", "company", "period", "day", "kind"),
    [
        ("HARBOUR_2015_10K.pdf", "HARBOUR", "2015", None, "10-K"),
        ("HARBOUR_2023_8K_dated-2023-05-30.pdf", "HARBOUR", "2023", "2023-05-30", "8-K"),
        ("HARBOUR_2023Q4_EARNINGS", "HARBOUR", "2023-Q4", None, "earnings_release"),
        ("3M_2018_10K.pdf", "3M", "2018", None, "10-K"),
        ("BLOCK_2016_10K", "BLOCK", "2016", None, "10-K"),
        ("Harbour Trading annual report 2022.docx", "Harbour Trading", "2022", None, "annual_report"),
        ("青禾纸业：2022年年度报告.pdf", "青禾纸业", "FY2022", None, "annual_report"),
        ("青禾纸业2023年第三季度报告.pdf", "青禾纸业", "2023-Q3", None, "quarterly_report"),
        ("Q3 2023 earnings.pdf", None, "2023-Q3", None, "earnings_release"),
        ("annual report 2022.docx", None, "2022", None, "annual_report"),
        ("final draft annual report.docx", None, None, None, "annual_report"),
        ("CREDIT AGREEMENT 2020.pdf", None, "2020", None, "contract"),
        ("Measles (2019 outbreak).txt", None, "2019", None, None),
        ("notes.txt", None, None, None, None),
        ("", None, None, None, None),
    ],
)
def test_file_names(name, company, period, day, kind):
    found = facts_of_name(name)
    assert (found.company, str(found.period) if found.period else None, found.day, found.kind) == (
        company, period, day, kind,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("this 10K report", "10-K"),
        ("Form 10-Q", "10-Q"),
        ("the 8k filing", "8-K"),
        ("DEF 14A", "DEF 14A"),
        ("Half-year report", "interim_report"),
        ("Independent Auditor's Report", "audit_report"),
        ("出院小结", "medical_record"),
        ("会议纪要", "minutes"),
        ("8 killed", None),
        ("10 kg", None),
        ("", None),
    ],
)
def test_kinds(text, kind):
    assert kind_in(text) == kind


def test_kinds_of_one_family_stand_for_each_other():
    assert "10-K" in FAMILY["annual_report"]
    assert FAMILY["10-K"] is FAMILY["annual_report"]
    assert FAMILY["10-K"].isdisjoint(FAMILY["10-Q"])


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("HARBOUR WATER WORKS COMPANY, INC.", "harbour water works"),
        ("The Coca-Cola Company", "coca cola"),
        ("CVS HEALTH CORPORATION", "cvs health"),
        ("J. C. Penney Company, Inc.", "j c penney"),
        ("Bank of the West", "bank of the west"),
        ("3M Company", "3m"),
        ("青禾纸业股份有限公司", "青禾纸业"),
        ("中国远山保险（集团）股份有限公司", "中国远山保险"),
        ("Company", "company"),
    ],
)
def test_the_core_of_a_name(name, core):
    assert " ".join(core_of(name)) == core


def test_names_are_compared_as_one_word():
    assert joined(core_of("Foot Locker, Inc.")) == joined(core_of("FOOTLOCKER"))
    assert tokens_of("Lowe's profits") == ["lowe", "profits"]


def test_short_forms():
    assert short_forms_in("FedEx, FedEx, FedEx", "Federal Express Corporation") == ["FedEx"]
    assert short_forms_in("HWW HWW HWW hww", "Harbour Water Works, Inc.") == ["HWW"]
    assert short_forms_in("招行 招行 招行", "招商银行股份有限公司") == ["招行"]
    assert short_forms_in("中国远山 中国远山 中国远山保险 中国远山", "中国远山保险股份有限公司") == ["中国远山"]
    assert short_forms_in("anything", "Harbour Inc.") == []
    assert short_forms_in("青禾", "青禾") == []


def test_documents_that_say_nothing():
    for found in (facts(""), facts("", "", name=""), facts_of(ParsedDocument(media_type=TEXT, pages=()), "x.pdf")):
        assert (found.company, found.period, found.kind, found.title, found.date, found.language) == (None,) * 6
        assert found.names == found.origins == ()


LINES = st.sampled_from(
    [*TENK.split("\n"), *ANNUAL_ZH.split("\n"), "(NYSE: ", "dated ", "“”", "| |", "简称：“", "Ⅷ\u0000", ""]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(LINES, st.text(max_size=60)), max_size=12), st.text(max_size=40))
def test_nothing_raises(lines, name):
    found = facts_of(document("\n".join(lines), "\n".join(reversed(lines))), name)
    assert type(found).model_validate_json(found.model_dump_json()) == found
