"""The suites of figures: what counts as right, and that each runs on a small folder of its own format."""

from __future__ import annotations

import gzip
import json

import pytest

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import Assistant
from app.answering.evaluation.convfinqa import convfinqa
from app.answering.evaluation.finance_qa import cut, finance_qa, laid_out, right
from app.answering.evaluation.fineval import chosen, fineval, passages_of
from app.answering.evaluation.numbers_agree import agree, figures
from app.answering.evaluation.tatqa import markdown, tatqa
from app.answering.evaluation.tatqa_metric import exact, f1, predicted, reference
from app.errors import BadRequest
from domains.registry import load
from tests.scripted_chat import ScriptedChat

SUITES = (tatqa, convfinqa, fineval, finance_qa)


def assistant(*replies):
    chat = ScriptedChat(replies=list(replies) or ["[]"])
    return Assistant(chat=chat, prompt_tokens=6000, registry=load(only=["general"]), verifier=Verifier())


def run(suite, folder, *replies, limit=None):
    return suite(folder, assistant=assistant(*replies), limit=limit, seed=0, report=lambda _: None)


@pytest.mark.parametrize(
    ("short", "answer", "scale"),
    [
        ("-12.6 million", -12.6, "million"),
        ("-12,600 thousand", -12.6, "million"),
        ("-$12.6 million", -12.6, "million"),
        ("(12.6) million", -12.6, "million"),
        ("-22.22%", -22.22, "percent"),
        ("-22.2222%", -22.22, "percent"),
        ("$1,496.5 million", ["$1,496.5"], "million"),
        ("$2.0 billion", ["$2.0 billion"], ""),
        ("19.0%", ["19.0%"], ""),
        ("2019", ["2019"], ""),
        ("Higher fuel prices.", ["higher fuel prices"], ""),
        ('["2018", "2019"]', ["2019", "2018"], ""),
        ('["$2,410 thousand", "$598 thousand"]', ["$2,410", "$598"], "thousand"),
    ],
)
def test_an_answer_is_right_with_its_scale_however_it_is_written(short, answer, scale):
    assert exact(predicted(short), reference(answer, scale)) == 1.0


@pytest.mark.parametrize(
    ("short", "answer", "scale"),
    [
        (None, 5, ""),
        ("", ["x"], ""),
        ("-12.6", -12.6, "million"),
        ("-12.6 thousand", -12.6, "million"),
        ("12.6 million", -12.6, "million"),
        ("-12.7 million", -12.6, "million"),
        ("22.22", 22.22, "percent"),
        ('["2019"]', ["2019", "2018"], ""),
        ('["2019", "2019"]', ["2019", "2018"], ""),
        ("fuel", ["higher fuel prices"], ""),
    ],
)
def test_another_figure_another_scale_or_a_part_is_wrong(short, answer, scale):
    assert exact(predicted(short), reference(answer, scale)) == 0.0


def test_f1_counts_shared_words_over_the_longer_list():
    assert f1(predicted("higher fuel prices"), reference(["fuel prices"], "")) == pytest.approx(0.8)
    assert f1(predicted('["a1", "b"]'), reference(["a1"], "")) == 0.5
    assert f1([], reference(["a1"], "")) == 0.0
    assert f1(predicted("5 million"), reference(5, "thousand")) == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("6800元", "0.68万元", True),
        ("3.65%", "0.0365", True),
        ("71.28元", "71.275元", True),
        ("-27.14元", "27.14元", False),
        ("1,000元", "1000元", True),
        ("100元", "104元", False),
        ("0元", "0.4元", False),
        ("1%", "1", True),
    ],
)
def test_figures_agree_whatever_their_unit(one, other, same):
    assert agree(figures(one)[0], figures(other)[0]) is same


@pytest.mark.parametrize(
    ("shown", "answer", "verdict"),
    [
        ("Ratio = 0.66: 1,469,502 / 2,213,556.", "0.66", True),
        ("The ratio was 0.83.", "0.66", False),
        ("Receivables were $1,616 million.", "$1616.00", True),
        ("Yes, gross margin rose to 5.3%.", "No, gross margin fell.", False),
        ("Customers are airlines and the US government.", "The customers are airlines and the US government.", True),
        ("It has many customers.", "The customers are airlines and the US government.", False),
    ],
)
def test_the_matcher_of_filings(shown, answer, verdict):
    assert right(shown, answer) is verdict


def test_a_page_laid_out_with_blanks_becomes_rows_with_their_periods():
    page = "(in thousands)\n               2015        2014\nASSETS\n"
    page += "Cash......   $ 876,560   $ 1,117,400\nIt is long ago that this was so."
    assert laid_out(page).split("\n") == [
        "(in thousands)",
        " | 2015 | 2014",
        "ASSETS |",
        "Cash | $ 876,560 | $ 1,117,400",
        "It is long ago that this was so.",
    ]


def test_a_page_is_cut_to_its_heading_and_the_lines_that_fit():
    page = "\n".join(["HEADING", *[f"line of nothing {n}" for n in range(200)], "cash from operations | 5"])
    kept = cut("What was cash from operations?", page, budget=120).split("\n")
    assert kept[0] == "HEADING"
    assert kept[-1] == "cash from operations | 5"
    assert len(kept) < 60


PROMPT = (
    "请根据检索内容回答。\n用户问题是：净值是多少\n检索内容是：平台内容检索1: 文章标题：基金甲净值 "
    "发布时间：2025年05月15日 星期四 文章内容：基金甲单位净值为1.25元。\n全网搜索内容检索2: 文章标题：天气 "
    "发布时间：2025年05月15日 星期四 文章内容：今天下雨。"
    "\n当前时间是：2025年05月15日\n请根据检索内容，回答用户问题。只输出数值。"
)


def test_passages_are_cut_out_of_a_prompt_and_chosen_by_the_question():
    passages = passages_of(PROMPT)
    assert [name for name, _ in passages] == ["基金甲净值 2025年05月15日", "天气 2025年05月15日"]
    assert passages[0][1] == "基金甲单位净值为1.25元。"
    assert "请根据" not in passages[1][1]
    kept = chosen("基金甲净值是多少", passages, budget=30)
    assert [item.text for item in kept] == ["基金甲单位净值为1.25元。"]


@pytest.fixture
def folders(tmp_path):
    def write(name, file, *lines):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        if file.endswith(".gz"):
            with gzip.open(folder / file, "wt", encoding="utf-8") as out:
                out.write(text)
        else:
            (folder / file).write_text(text, encoding="utf-8")
        return folder

    return write


TABLE = [["(in thousands)", "2022", "2021"], ["Card", "$5,200", "$5,000"], ["Board", "1,840", "2,100"]]


def question(uid, text, answer, kind, scale):
    return {"uid": uid, "question": text, "answer": answer, "answer_type": kind, "scale": scale}


def test_tatqa_reads_documents_and_counts_by_kind(folders):
    folder = folders(
        "set",
        "dev.jsonl",
        {
            "table": {"uid": "t1", "table": TABLE},
            "paragraphs": [{"order": 1, "text": "The table shows card and board."}],
            "questions": [
                question("q1", "What was the change in board from 2021 to 2022?", -260, "arithmetic", "thousand"),
                question("q2", "What was card in 2021?", ["$5,000"], "span", "thousand"),
            ],
        },
    )
    found = run(tatqa, folder)
    assert found["metrics"]["em_arithmetic"] == 1.0
    assert found["n"] == 2
    assert found["naive"]["n"] == 2
    cited = found["items"][0]["claims"][0]["cited"][0]
    assert cited["kind"] == "computation"
    assert len(cited["text"]) <= 600
    assert run(tatqa, folder, limit=1)["n"] == 1
    assert markdown(TABLE).count("\n") == 3


def test_convfinqa_answers_the_last_turn_over_the_history(folders):
    folder = folders(
        "set",
        "dev.jsonl",
        {
            "id": "Single_X/2009/page_1.pdf-1",
            "questions": ["what was revenue in 2009?", "what was the change in revenue from 2008 to 2009?"],
            "answer": 108,
            "text": "revenue rose . it was a good year .",
            "table": "in millions | 2009 | 2008\nrevenue | $ 6305 | $ 6197",
        },
    )
    found = run(convfinqa, folder)
    assert found["metrics"] == {"accuracy": 1.0}


def test_fineval_measures_both_kinds(folders):
    folder = folders(
        "set",
        "items.jsonl",
        {
            "id": "c1",
            "kind": "calculate",
            "question": "持有基金甲100份，价值多少元？",
            "prompt_with_passages": PROMPT,
            "answer": "125元",
        },
        {
            "id": "e1",
            "kind": "extract",
            "question": "基金甲单位净值是多少",
            "prompt_with_passages": PROMPT,
            "answer": '["2025年05月15日，基金甲的单位净值为1.25元。"]',
        },
    )
    computing = "a = 100份  # 份额 [问题]\nb = 1.25元  # 净值 [1]\nanswer = a * b  # 元"

    def reply(messages):
        return computing if "算式" in str(messages[0].content) else "基金甲单位净值为1.25元 [1]。"

    found = run(fineval, folder, reply)
    assert found["metrics"]["accuracy_calculate"] == 1.0
    assert found["metrics"]["faithful_extract"] == 1.0
    assert found["metrics"]["recalled_extract"] == 1.0


def test_finance_qa_takes_the_pages_of_the_evidence(folders):
    folder = folders(
        "set",
        "questions.jsonl",
        {
            "id": "f1",
            "company": "Larkfield",
            "question": "What was the card of Larkfield in 2015?",
            "answer": "$876.00",
            "question_type": "metrics-generated",
            "evidence": [{"doc_name": "LARKFIELD_2015_10K", "page": 3, "text": "Card\n876"}],
        },
    )
    folders(
        "set",
        "pages.jsonl.gz",
        {
            "doc_name": "LARKFIELD_2015_10K",
            "page": 3,
            "text": "            2015      2014\nCard of Larkfield   876   900",
        },
    )
    found = run(finance_qa, folder, "The card of Larkfield in 2015 was 876 [1].")
    assert found["metrics"] == {"correct": 1.0, "wrong": 0.0, "refused": 0.0}
    assert run(finance_qa, folder, "NOT_FOUND")["metrics"]["refused"] == 1.0


@pytest.mark.parametrize("suite", SUITES)
def test_a_folder_that_is_none_is_refused_with_a_remedy(suite, tmp_path):
    with pytest.raises(BadRequest):
        run(suite, tmp_path)
    for name in ("dev.jsonl", "items.jsonl", "questions.jsonl"):
        (tmp_path / name).write_text('{"no": "item"}\n[]\n', encoding="utf-8")
    with pytest.raises(BadRequest):
        run(suite, tmp_path)
