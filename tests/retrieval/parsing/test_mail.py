"""A mail is read as it was sent: header, text, quotations, the mails in it; attachments are named and said unread."""

from email.message import EmailMessage

import pytest

from retrieval.errors import EncryptedFile
from retrieval.parsing.mail import read
from retrieval.parsing.parse import parse
from retrieval.parsing.types import EML


@pytest.fixture
def pages_of(put):
    def pages(message):
        data = message if isinstance(message, bytes) else message.as_bytes()
        total, found = read(put("x.eml", data), max_pages=100)
        found = list(found)
        assert total == len(found)
        return found

    return pages


@pytest.fixture
def blocks_in(pages_of):
    def blocks(message):
        return [(b.kind.value, b.level, page.text[b.start : b.end]) for page in pages_of(message) for b in page.blocks]

    return blocks


def mail(body="Hello.", subtype="plain", **headers):
    message = EmailMessage()
    for name, value in {"From": "a@example.org", "Subject": "Subject", **headers}.items():
        message[name] = value
    message.set_content(body, subtype=subtype)
    return message


def test_the_header_stands_under_the_subject(blocks_in):
    message = mail(
        From="张三 <zhang@example.org>",
        To="Bob <b@example.org>, c@example.org",
        Cc="d@example.org",
        Subject="关于合同",
        Date="Tue, 24 Nov 2026 10:00:00 +0000",
        Received="from elsewhere",
    )
    assert blocks_in(message) == [
        ("heading", 1, "关于合同"),
        (
            "paragraph",
            0,
            "From: 张三 <zhang@example.org>\nTo: Bob <b@example.org>, c@example.org\nCc: d@example.org\n"
            "Date: Tue, 24 Nov 2026 10:00:00 +0000",
        ),
        ("paragraph", 0, "Hello."),
    ]


def test_a_mail_without_a_subject_says_so(blocks_in):
    assert blocks_in(b"From: a@b\nTo: c@d\n\nHello\n")[0] == ("heading", 1, "(no subject)")


def test_quotations_keep_their_marks(blocks_in):
    body = "New text.\n\nAnn wrote:\n> old text\n> > older text\n>>> oldest\n\nAfter it."
    texts = [text for _, _, text in blocks_in(mail(body))[2:]]
    assert texts == ["New text.", "Ann wrote:", "> old text", ">> older text", ">>> oldest", "After it."]


MARKS = (
    "-----Original Message-----",
    "---------- Forwarded message ---------",
    "-----原始邮件-----",
    "--- 转发邮件 ---",
)


@pytest.mark.parametrize("mark", MARKS)
def test_what_is_appended_stands_under_its_separator(blocks_in, mark):
    found = blocks_in(mail(f"New.\n\n{mark}\nFrom: x\nSent: y\n\nOld."))
    assert [text for kind, level, text in found if kind == "heading"] == ["Subject", mark.strip("- ")]
    assert found[-1] == ("paragraph", 0, "Old.")


def test_plain_text_is_preferred_to_html(blocks_in):
    message = mail("plain words")
    message.add_alternative("<p>rich words</p>", subtype="html")
    assert [text for _, _, text in blocks_in(message)[2:]] == ["plain words"]
    empty = mail(" \n")
    empty.add_alternative("<h1>Head</h1><p>rich words</p><p hidden>unseen</p>", subtype="html")
    assert blocks_in(empty)[2:] == [("heading", 2, "Head"), ("paragraph", 0, "rich words")]


def test_hidden_text_in_html_is_said(pages_of):
    message = mail("<p>seen</p><p style='display:none'>unseen words</p>", subtype="html")
    (page,) = pages_of(message)
    assert "unseen" not in page.text
    assert [one.code for one in page.remarks] == ["hidden_text"]


def test_html_alone_is_read_with_its_tables(blocks_in):
    message = mail("<table><tr><td>a</td><td>b</td></tr></table>", subtype="html")
    assert blocks_in(message)[2:] == [("table", 0, "a | b")]


def test_attachments_are_named_and_remarked(blocks_in, pages_of):
    message = mail()
    message.add_attachment(bytes(5000), maintype="application", subtype="pdf", filename="预算.pdf")
    message.add_attachment("words", filename="note.txt")
    message.add_attachment(bytes(10), maintype="image", subtype="png", disposition="inline")
    found = blocks_in(message)
    assert found[2:5] == [
        ("list_item", 0, "Attachment, not read: 预算.pdf (application/pdf, 4 KiB)"),
        ("list_item", 0, "Attachment, not read: note.txt (text/plain, 1 KiB)"),
        ("list_item", 0, "Attachment, not read: without a name (image/png, 1 KiB)"),
    ]
    assert found[5] == ("paragraph", 0, "Hello.")
    said = [(one.code, one.detail.split(" (")[0]) for one in pages_of(message)[0].remarks]
    assert said == [("attachment_unread", name) for name in ("预算.pdf", "note.txt", "without a name")]


def test_an_attachment_with_an_endless_name_is_cut(pages_of):
    message = mail()
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="n" * 5000)
    (remark,) = pages_of(message)[0].remarks
    assert len(remark.detail) <= 200


def test_a_thousand_attachments_are_counted(pages_of):
    message = mail()
    for number in range(300):
        message.add_attachment(b"x", maintype="application", subtype="pdf", filename=f"{number}.pdf")
    remarks = pages_of(message)[0].remarks
    assert len(remarks) == 100
    assert (remarks[-1].code, remarks[-1].detail) == ("truncated", "201 more remarks")


def test_mails_in_mails_are_read_to_a_depth(blocks_in, pages_of):
    message = mail("text 0", Subject="mail 0")
    for number in range(1, 6):
        outer = mail(f"text {number}", Subject=f"mail {number}")
        outer.add_attachment(message)
        message = outer
    headings = [(level, text) for kind, level, text in blocks_in(message) if kind == "heading"]
    assert headings == [(1, "mail 5"), (2, "mail 4"), (3, "mail 3"), (4, "mail 2")]
    assert [one.detail for one in pages_of(message)[0].remarks] == ["a mail inside of mails"]


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gb2312", "商业银行"),
        ("iso-2022-jp", "日本語"),
        ("big5", "商業銀行"),
        ("utf-7", "商业"),
        ("no-such-charset", "银行"),
    ],
)
def test_charsets_are_believed_if_they_fit(blocks_in, charset, text):
    encoded = text.encode("utf-8" if charset.startswith("no") else charset)
    data = f"From: a@b\nSubject: x\nContent-Type: text/plain; charset={charset}\n\n".encode() + encoded
    assert blocks_in(data)[-1] == ("paragraph", 0, text)


def test_encoded_headers_and_bodies(blocks_in):
    data = (
        b"From: =?gb2312?B?1tDOxA==?= <a@b>\r\nSubject: =?utf-8?Q?caf=C3=A9?=\r\n =?utf-8?Q?_bar?=\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nA long line=\r\n goes on =E2=82=AC"
    )
    found = blocks_in(data.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"))
    assert found[0][2] == "café bar"
    assert found[1][2] == "From: 中文 <a@b>"
    assert found[2][2] == "A long line goes on €"


def test_flowed_lines_are_joined(blocks_in):
    data = b"From: a@b\nSubject: x\nContent-Type: text/plain; format=flowed\n\nOne line \ngoes on here.\n\nNext.\n"
    assert [text for _, _, text in blocks_in(data)[2:]] == ["One line goes on here.", "Next."]


ENCRYPTED = (
    "multipart/encrypted; protocol=x; boundary=b",
    "application/pkcs7-mime; smime-type=enveloped-data",
)


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_an_encrypted_mail_is_told(pages_of, kind):
    with pytest.raises(EncryptedFile):
        pages_of(f"From: a@b\nSubject: x\nContent-Type: {kind}\n\nxxxx".encode())


@pytest.mark.parametrize(
    "data",
    [
        b"From: a@b\nContent-Type: multipart/mixed; boundary=zzz\n\nno boundary here\n",
        b"From: a@b\nContent-Type: multipart/mixed\n\nno boundary at all here\n",
        b"From: a@b\nContent-Type: nonsense\n\nbody here\n",
        b'From: a@b\nContent-Type: text/plain; charset="\n\nbody here\n',
        b"From: a@b\nContent-Transfer-Encoding: base64\n\n====body here\n",
        b'From: @@@<<<>>>;;,,"\nSubject: =?x?y?z?=\n\nbody here\n',
    ],
)
def test_broken_mails_still_give_their_text(blocks_in, data):
    texts = " ".join(text for _, _, text in blocks_in(data))
    assert "here" in texts or b"base64" in data


@pytest.mark.parametrize(
    "header",
    [
        b'Content-Type: text/plain; x="' + b'\\"' * 4000,
        b"Content-Type: text/plain; " + b'a"b;' * 2000,
        b"Content-Type: text/plain; charset=x; boundary==?utf-8?q?" + b"a" * 9000,
        b"Content-Type: text/plain" + b";a" * 500_000,
        b"Content-Transfer-Encoding: " + b"x " * 50_000,
        b"From: " + b"<" * 50_000,
        b"Subject: " + b"=?utf-8?q?" * 20_000,
        b"To: " + b"a@b, " * 30_000,
    ],
)
def test_hostile_headers_do_not_hold_it_up(blocks_in, header):
    assert blocks_in(b"From: a@b\n" + header + b"\n\nbody here\n")[-1][2].endswith(
        "here"
    )  # else the suite's timeout tells


def test_headers_in_bare_bytes_are_read(blocks_in):
    found = blocks_in("From: 张三 <a@b>\nSubject: 关于合同的说明\n\nx\n".encode())
    assert found[0][2] == "关于合同的说明"
    assert found[1][2] == "From: 张三 <a@b>"
    assert (
        blocks_in("From: a@b\nSubject: 关于合同的说明与解释\n\nx\n".encode("gb18030"))[0][2] == "关于合同的说明与解释"
    )


def test_parts_without_end_are_cut_off_and_said(pages_of):
    parts = b"".join(b"--x\nContent-Type: application/pdf\n\ny\n" for _ in range(3000))
    data = b"From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n" + parts + b"--x--\n"
    assert (
        "parts of the mail" in {one.detail for one in pages_of(data)[0].remarks}
        or len(pages_of(data)[0].remarks) == 100
    )


def test_the_child_reads_it(put, limits):
    document = parse(put("0f3a", mail("Body words.").as_bytes()), name="a.eml", limits=limits)
    assert document.media_type == EML
    assert document.pages[0].text.endswith("Body words.")
