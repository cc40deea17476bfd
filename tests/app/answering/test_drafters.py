"""Ways of drafting: the first that has something to say writes, and nobody's words are shown unchecked."""

from __future__ import annotations

import pytest

from app.answering.drafters.contract import Short
from app.answering.drafters.prose import Prose
from app.answering.types import Checked, Retrieved
from retrieval.types import Evidence, EvidenceKind, Locator

REVENUE = "Larkfield Paper reported revenue of $5.2 million in 2022 and $5.0 million in 2021."
ASKED = "By how much did the revenue of Larkfield Paper grow from 2021 to 2022?"


class Fixed:
    """Yields what it was made with."""

    name = "fixed"

    def __init__(self, *pieces, suits=True):
        self.pieces, self._suits, self.tried = pieces, suits, 0

    def suits(self, _task):
        return self._suits

    async def draft(self, task):
        self.tried += 1
        for piece in self.pieces:
            yield piece(task) if callable(piece) else piece


def computed(task):
    text = "5.2 million - 5.0 million = 0.2 million (revenue 2022 less revenue 2021)"
    place = Locator(document_id="d1", document="report-1.pdf", page=1, start=0, end=10)
    return Evidence.of(task.next_id, text, place, kind=EvidenceKind.COMPUTATION)


def test_the_first_that_suits_and_says_something_writes(desk):
    silent, unfit, wordy = Fixed(), Fixed("Never.", suits=False), Fixed("Revenue was $5.2 million [1].")
    last = Fixed("Revenue was $5.0 million [1].")
    made = desk([REVENUE], drafters=(silent, unfit, wordy, last))
    assert made.answer(ASKED).text == "Revenue was $5.2 million [1]."
    assert [one.tried for one in (silent, unfit, wordy, last)] == [1, 0, 1, 0]
    assert made.sink.entries[-1].body["drafter"] == "fixed"


def test_evidence_that_a_drafter_makes_can_be_cited_is_shown_and_recorded(desk):
    made = desk([REVENUE], drafters=(Fixed(computed, "Revenue grew by 0.2 million [2]."), Prose()))
    events = made.events(ASKED)
    assert [len(event.evidence) for event in events if isinstance(event, Retrieved)] == [1, 2]
    assert [event.claim.cites for event in events if isinstance(event, Checked)] == [("2",)]
    assert made.sink.entries[-1].body["evidence"][1]["kind"] == "computation"


@pytest.mark.parametrize(
    ("written", "short", "abstained"),
    [("Revenue was $5.2 million [1].", "5.2", False), ("Revenue was $7 million [1].", None, True)],
)
def test_a_bare_answer_is_shown_only_beside_a_supported_claim(desk, written, short, abstained):
    answer = desk([REVENUE], drafters=(Fixed(Short("5.2"), written),)).answer(ASKED)
    assert (answer.short, answer.abstained) == (short, abstained)
