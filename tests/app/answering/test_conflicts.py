"""Where passages say different things."""

from __future__ import annotations

import pytest

from app.answering.conflicts import conflicts
from app.answering.types import Claim, Verdict
from app.answering.wording import differing
from tests.app.answering.conftest import passage


def claim(text, cites=("1",), verdict=Verdict.SUPPORTED):
    return Claim(text=text, cites=cites, verdict=verdict, score=1.0)


def evidence(*texts, names=()):
    names = names or [f"report-{n}.pdf" for n in range(1, len(texts) + 1)]
    return {str(n): passage(text, number=n, name=names[n - 1]) for n, text in enumerate(texts, 1)}


WHO = "How many people does the mill at Orrin Bay employ?"
HERE = "The mill at Orrin Bay employs 240 people."
THERE = "The mill at Orrin Bay employs 310 people."


def test_another_value_for_the_same_thing_is_shown_beside_it():
    found = conflicts(WHO, [claim(HERE)], evidence(HERE, THERE, names=["report-2021.pdf", "report-2023.pdf"]))
    assert len(found) == 1
    assert (found[0].here.cite, found[0].here.dated) == ("1", "2021")
    assert (found[0].there.cite, found[0].there.dated) == ("2", "2023")
    assert "310" in found[0].there.value
    assert found[0].there.quote == THERE


@pytest.mark.parametrize(
    "other",
    [
        HERE,
        "The mill at Telmere employs 310 people.",
        "The mill at Orrin Bay is 310 metres long.",
        "The mill at Orrin Bay makes cardboard.",
        "The mill at Orrin Bay employs 240 people and 310 robots.",
    ],
)
def test_another_thing_or_the_same_value_is_no_conflict(other):
    assert conflicts(WHO, [claim(HERE)], evidence(HERE, other)) == ()


def test_another_year_is_another_thing():
    here = "Revenue of Larkfield Paper in 2022 was $5.2 million."
    there = "Revenue of Larkfield Paper in 2021 was $4.8 million."
    assert conflicts("Revenue in 2022?", [claim(here)], evidence(here, there)) == ()
    same = "Revenue of Larkfield Paper in 2022 was $4.8 million."
    assert len(conflicts("Revenue in 2022?", [claim(here)], evidence(here, same))) == 1


def test_one_document_does_not_contradict_itself():
    there = passage(THERE, number=2).model_copy(update={"locator": passage(HERE, number=1).locator})
    assert conflicts(WHO, [claim(HERE)], {"1": passage(HERE, number=1), "2": there}) == ()


def test_struck_claims_and_unknown_citations_are_passed_over():
    known = evidence(HERE, THERE)
    assert conflicts(WHO, [claim(HERE, verdict=Verdict.CONTRADICTED)], known) == ()
    assert conflicts(WHO, [claim(HERE, ("9",))], known) == ()


def test_chinese_sources_differ_as_well():
    here, there = "松河工厂有员工240人。", "松河工厂有员工310人。"
    found = conflicts("松河工厂有多少员工？", [claim(here)], evidence(here, there))
    assert len(found) == 1
    assert differing(found, "zh") == "\n资料不一致：“松河工厂有员工240人。”[1]；“松河工厂有员工310人。”[2]"


def test_both_sides_are_shown_with_marks_and_years():
    found = conflicts(WHO, [claim(HERE)], evidence(HERE, THERE, names=["r-2021.pdf", "r-2023.pdf"]))
    assert differing(found, "en") == f"\nThe documents differ: “{HERE}” [1] (2021) / “{THERE}” [2] (2023)"
    assert differing((), "en") == ""
