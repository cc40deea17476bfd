"""Sentences end where a reader would say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.sentences import split_sentences


def sentences(text):
    return [text[start:end] for start, end in split_sentences(text)]


# "¦" shows where a text is cut.
@pytest.mark.parametrize(
    "marked",
    [
        # plain
        "Revenue rose.¦ Costs fell.",
        "One!¦ Two?¦ Three.",
        "No mark at the end",
        "It ended...¦ Then it began.",
        "Wait... what?¦ Yes.",
        # numbers
        "Revenue rose 3.5% to ¥1,234.50.¦ Costs fell.",
        "The ratio was 12.5.¦ It had been 11.75 before.",
        "It grew in 2020.¦ 2021 was worse.",
        "Version 2.1.3 is out.¦ Use it.",
        "Pay $5.¦ Or pay €6.50 later.",
        "See www.example.org for more.¦ Or call.",
        # abbreviations before a place
        "See No. 5 and Nos. 7 to 9.¦ The end.",
        "The answer is no.¦ We disagree.",
        "As in Fig. 3 and Figs. 4.¦ Next.",
        "Under Art. IV and Sec. 12 this holds.¦ It is so.",
        "See p. 4 and pp. 5-9.¦ Read on.",
        "Shown in App. B and Eq. 2.¦ Thus it follows.",
        "On Dec. 31, 2023 it closed.¦ The year was over.",
        # titles and companies
        "Dr. Smith met Mr. Jones.¦ They spoke.",
        "Apple Inc. reported a gain.¦ The company grew.",
        "He works at Apple Inc.¦ The company is large.",
        "Acme Corp. Holdings and Beta Ltd. Group merged.¦ It was quick.",
        "J. R. Smith of the U.S. Government said so.¦ We agree.",
        "It is sold in the U.S.¦ However, it is not sold elsewhere.",
        "At 5 p.m. Eastern time it closed.¦ It opened at 9 a.m.¦ The day was long.",
        "Results, e.g. Losses, i.e. Costs, cf. Smith et al. 2020, vary.¦ They do.",
        "Smith v. Jones was decided.¦ It stands.",
        # quotes and brackets
        'He said "Stop!" and left.¦ She stayed.',
        'He said "Stop."¦ She stayed.',
        "(See above.)¦ Next one.",
        "It holds [see note 3.].¦ The rest follows.",
        "**Bold claim.**¦ Another one.",
        # list numbers
        "1. First item.¦ 2. Second item.",
        "2.1. Scope of this policy.¦ It applies.",
        "a) One.¦ B) Two.",
        "- one\n¦- two\n¦- three",
        "Items:\n¦1. one\n¦2. two",
        "条款：\n¦（一）资本；\n¦（二）流动性。",
        # lines and tables
        "A line that was\nwrapped by hand.¦ The next.",
        "First paragraph\n\n¦Second paragraph",
        "Revenue | 2023 | 2022\n¦Sales | 5 | 4\n¦Costs | 3.5 | 2",
        "# Title\n¦## Subtitle\n\n¦Words.",
        # Chinese
        "公司营收增长3.5%。¦利润为¥1,234.50元！¦为什么？¦因为成本下降。",
        "他说：“走吧！”¦然后离开。",
        "（详见附件一。）¦下一句。",
        "真的吗？！¦是的。",
        "他想……然后走了。¦结束。",
        "资本充足率不得低于８％；核心一级资本充足率不得低于５％。¦另有规定的除外。",
        "依据《巴塞尔协议III》。¦适用于所有银行。",
        "“你好。”，他说。¦结束。",
        # both
        "Tier 1资本为3.5%。¦The ratio is 4.2%.¦合计7.7%。",
        "他用Python 3.11。¦很好!¦下一个?¦完",
    ],
)
def test_cut(marked):
    assert sentences(marked.replace("¦", "")) == [part.strip() for part in marked.split("¦")]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t\u3000"])
def test_nothing_to_cut(text):
    assert split_sentences(text) == []


@pytest.mark.parametrize("text", [".", "...", "。", "?!", "1.", "A.", "No."])
def test_marks_alone_are_one_sentence(text):
    assert sentences(text) == [text]


@given(st.text(alphabet=st.sampled_from('aB3 .!?。！？\n|-"”’)）,，…中文no1\t'), max_size=80))
def test_spans_cover_everything_but_white_space(text):
    spans = split_sentences(text)
    assert spans == sorted(spans)
    at = 0
    for start, end in spans:
        assert at <= start < end
        assert text[at:start].strip() == ""
        assert text[start:end] == text[start:end].strip()
        at = end
    assert text[at:].strip() == ""


@pytest.mark.parametrize("piece", [".", "a. ", "\n", "((", "a|\n", "e.g.", "\n \t", "。", "Mr. ", '"', "a | b\n", "x"])
def test_hostile_repetition_takes_no_quadratic_time(piece):
    split_sentences(piece * (300_000 // len(piece)))  # would take hours; the suite's timeout tells
