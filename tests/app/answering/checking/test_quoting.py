"""The words of the evidence that carry a verdict, as they stand there."""

from __future__ import annotations

from app.answering.checking.quoting import LONGEST, quoted
from app.answering.checking.verify import Verifier
from app.answering.claims import DraftClaim
from app.answering.types import Verdict
from tests.app.answering.conftest import passage

REPORT = "Larkfield Paper made a loss.  Revenue was $5.2 million in 2022. Costs fell by 3%.\nThe board met in May."
OTHER = "The mill at Orrin Bay employs 240 people. It opened in 2016."


def check(text: str, *passages: str, cites: tuple[str, ...] = ("1",), question: str = ""):
    evidence = {str(n): passage(body, number=n) for n, body in enumerate(passages, 1)}
    return Verifier().check(DraftClaim(text, cites), evidence, question=question)


def test_a_quotation_is_a_part_of_the_passage_with_its_blanks() -> None:
    window = ["Larkfield Paper made a loss.", "Revenue was $5.2 million in 2022."]
    assert quoted([passage(REPORT)], [window]) == "Larkfield Paper made a loss.  Revenue was $5.2 million in 2022."


def test_of_a_sentence_that_stands_twice_the_one_beside_its_neighbour_is_quoted() -> None:
    text = "See below. Fees apply. See below.\nRates apply."
    assert quoted([passage(text)], [["See below.", "Rates apply."]]) == "See below.\nRates apply."


def test_a_long_quotation_is_cut_and_says_so() -> None:
    text = "word " * 400 + "end."
    found = quoted([passage(text)], [[text]])
    assert found is not None
    assert found.endswith("…")
    assert len(found) <= LONGEST + 1
    assert text.startswith(found[:-1])


def test_of_no_sentences_there_is_no_quotation() -> None:
    assert quoted([], []) is None
    assert quoted([passage(REPORT)], [()]) is None


def test_a_supported_claim_quotes_what_it_rests_on() -> None:
    claim = check("Revenue in 2022 was $5.2 million.", REPORT)
    assert claim.verdict is Verdict.SUPPORTED
    assert claim.quote == "Revenue was $5.2 million in 2022."
    assert not claim.corrected


def test_a_contradicted_claim_quotes_what_contradicts_it() -> None:
    claim = check("Revenue in 2022 was $5.3 million.", REPORT)
    assert claim.verdict is Verdict.CONTRADICTED
    assert claim.quote is not None
    assert "$5.2 million" in claim.quote


def test_what_nothing_supports_quotes_nothing() -> None:
    assert check("The chair is Ines Varga.", REPORT).quote is None
    asked = "What is the usual dose of warfarin?"
    claim = check("The usual dose of warfarin is 5 mg a day.", "The usual dose of amlodipine is 5 mg.", question=asked)
    assert claim.verdict is Verdict.UNSUPPORTED
    assert claim.quote is None


def test_a_claim_that_two_passages_carry_quotes_both() -> None:
    both = ("The mill at Orrin Bay employs 240 people.", "Revenue was $5.2 million.")
    claim = check("The mill at Orrin Bay employs 240 people and revenue was $5.2 million.", *both, cites=("1", "2"))
    assert claim.quote == " … ".join(both)


def test_a_moved_citation_is_marked_and_the_quotation_is_of_the_new_passage() -> None:
    claim = check("The mill at Orrin Bay employs 240 people.", REPORT, OTHER, cites=("1",))
    assert (claim.cites, claim.corrected) == (("2",), True)
    assert claim.quote == "The mill at Orrin Bay employs 240 people."


def test_a_citation_that_was_missing_or_of_nothing_is_not_corrected_but_given() -> None:
    for cites in ((), ("9",)):
        claim = check("The mill at Orrin Bay employs 240 people.", REPORT, OTHER, cites=cites)
        assert (claim.cites, claim.corrected) == (("2",), False)


def test_dropping_one_of_two_citations_is_no_correction() -> None:
    claim = check("The mill at Orrin Bay employs 240 people.", REPORT, OTHER, cites=("1", "2"))
    assert (claim.cites, claim.corrected) == (("2",), False)
