"""A page is drawn with its passage marked in yellow, within the same limits as parsing."""

import io
import os
import subprocess

import pytest
from PIL import Image, ImageChops, ImageOps

from retrieval.errors import DamagedFile, DocumentNotFound, EncryptedFile, FileTooLarge, ParseLimit, UnsupportedFormat
from retrieval.parsing.paint import MAX_PIXELS
from retrieval.parsing.parse import parse
from retrieval.parsing.render import render_page
from retrieval.parsing.types import Limits
from retrieval.types import Box

YELLOW = (255, 238, 96)


def picture(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


@pytest.fixture
def letter(pdf):
    def draw(canvas):
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(100, 600, "Highlighted")
        canvas.drawString(100, 300, "Not marked")
        canvas.showPage()
        canvas.drawString(100, 600, "Second page")

    return pdf(draw)


def test_the_picture_has_the_page_at_its_scale(letter, limits):
    assert picture(render_page(letter, 1, limits=limits)).size == pytest.approx((892, 1263), abs=1)
    assert picture(render_page(letter, 1, scale=0.5, limits=limits)).size == pytest.approx((298, 421), abs=1)


def test_the_box_of_a_word_is_yellow_and_its_letters_black(letter, limits):
    (heading, *_), scale = parse(letter, name="a.pdf", limits=limits).pages[0].blocks, 2.0
    (box,) = heading.boxes
    image = picture(render_page(letter, 1, boxes=[box], scale=scale, limits=limits))
    inside = image.crop(tuple(round(edge * scale) for edge in (box.x0, box.top, box.x1, box.bottom)))
    colours = dict(sorted(((colour, count) for count, colour in inside.getcolors(1 << 16)), key=lambda pair: -pair[1]))
    assert next(iter(colours)) == YELLOW
    assert colours.get((0, 0, 0), 0) > 500, "the letters lie in their box and stay black"
    assert (255, 255, 255) not in colours


def test_nothing_is_marked_outside_of_the_boxes(letter, limits):
    box = Box(x0=50, top=50, x1=150, bottom=80)
    plain = picture(render_page(letter, 1, scale=1, limits=limits))
    marked = picture(render_page(letter, 1, boxes=[box], scale=1, limits=limits))
    assert ImageChops.difference(plain, marked).getbbox() == (50, 50, 150, 80)


def test_overlapping_boxes_are_no_darker(letter, limits):
    boxes = [Box(x0=50, top=50, x1=150, bottom=80), Box(x0=100, top=60, x1=200, bottom=90)] * 3
    image = picture(render_page(letter, 1, boxes=boxes, scale=1, limits=limits))
    assert image.getpixel((120, 70)) == YELLOW
    assert image.getpixel((180, 85)) == YELLOW
    assert image.getpixel((60, 85)) == (255, 255, 255)


def test_boxes_beyond_the_page_do_no_harm(letter, limits):
    boxes = [
        Box(x0=-100, top=-100, x1=10, bottom=10),
        Box(x0=590, top=838, x1=9e9, bottom=9e9),
        Box(x0=30, top=30, x1=20, bottom=20),
    ]
    image = picture(render_page(letter, 1, boxes=boxes, scale=1, limits=limits))
    assert image.getpixel((5, 5)) == YELLOW
    assert image.getpixel((592, 840)) == YELLOW
    assert image.getpixel((25, 25)) == (255, 255, 255)


def test_a_turned_page_is_marked_where_its_text_is(pdf, limits):
    def draw(canvas):
        canvas.setPageSize((400, 600))
        canvas.setPageRotation(90)
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(60, 200, "Turned")

    path = pdf(draw)
    page = parse(path, name="a.pdf", limits=limits).pages[0]
    (box,) = page.blocks[0].boxes
    plain = picture(render_page(path, 1, scale=1, limits=limits))
    left, top, right, bottom = ImageOps.invert(plain).getbbox()
    assert box.x0 - 1 <= left < right <= box.x1 + 1
    assert box.top - 1 <= top < bottom <= box.bottom + 1


@pytest.mark.parametrize("page", [0, 3, -1, 10**6])
def test_a_page_that_is_not_there(letter, limits, page):
    with pytest.raises(DocumentNotFound) as caught:
        render_page(letter, page, limits=limits)
    assert "1 to 2" in caught.value.message


def test_a_poster_is_drawn_smaller(pdf, limits):
    path = pdf(lambda canvas: canvas.drawString(50, 50, "poster"), pagesize=(14400, 14400))
    image = picture(render_page(path, 1, scale=4, limits=limits))
    assert image.width * image.height <= MAX_PIXELS * 1.01
    assert image.width == pytest.approx(MAX_PIXELS**0.5, rel=0.01)


def test_a_scale_out_of_range_is_held(letter, limits):
    assert picture(render_page(letter, 1, scale=0, limits=limits)).width == pytest.approx(60, abs=1)


def test_only_a_pdf_has_pages_to_show(put, limits):
    with pytest.raises(UnsupportedFormat):
        render_page(put("a.txt", b"words"), 1, limits=limits)


def test_what_parsing_refuses_is_not_drawn_either(pdf, put, limits):
    with pytest.raises(EncryptedFile):
        render_page(pdf(lambda canvas: canvas.drawString(9, 9, "x"), encrypt="pw"), 1, limits=limits)
    with pytest.raises(DamagedFile):
        render_page(put("bad.pdf", b"%PDF-1.4\n%%EOF"), 1, limits=limits)


def test_drawing_has_the_same_limits(letter, limits):
    with pytest.raises(FileTooLarge):
        render_page(letter, 1, limits=limits.model_copy(update={"max_bytes": 10}))
    with pytest.raises(ParseLimit):
        render_page(letter, 1, limits=limits.model_copy(update={"timeout_s": 0.01}))
    with pytest.raises(ParseLimit):
        render_page(letter, 1, scale=8, limits=Limits(max_bytes=9**9, max_pages=9, timeout_s=30, memory_mb=40))
    assert render_page(letter, 2, limits=limits).startswith(b"\x89PNG")


def test_the_png_is_well_formed_to_another_reader(letter, limits):
    with Image.open(io.BytesIO(render_page(letter, 1, limits=limits))) as image:
        image.verify()
        assert (image.format, image.mode) == ("PNG", "RGB")


def test_no_child_is_left(letter, limits):
    render_page(letter, 1, limits=limits)
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True)
    assert "retrieval.parsing.child" not in listed.stdout
