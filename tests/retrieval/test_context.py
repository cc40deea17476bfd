"""What is indexed for a passage beside its own words."""

from __future__ import annotations

import pytest

from retrieval.context import in_context


@pytest.mark.parametrize(
    ("document", "headings", "expected"),
    [
        ("ADOBE_2015_10K.pdf", ["Item 8", "Revenue"], "ADOBE 2015 10K > Item 8 > Revenue\nbody"),
        ("差旅制度.docx", [], "差旅制度\nbody"),
        ("v1.2 notes", [], "v1.2 notes\nbody"),
        ("", ["Revenue"], "Revenue\nbody"),
        ("", [], "body"),
        ("__.txt", [], "body"),
    ],
)
def test_name_and_headings_stand_before_the_text(document: str, headings: list[str], expected: str):
    assert in_context("body", document=document, headings=headings) == expected
