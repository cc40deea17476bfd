"""SQL out of replies, as models write them."""

from __future__ import annotations

from contextlib import suppress

import pytest

from domains.sql.errors import NoStatement
from domains.sql.extract import statement_of

WANTED = "SELECT name FROM customer"


@pytest.mark.parametrize(
    "reply",
    [
        WANTED,
        f"{WANTED};",
        f"  \n{WANTED} ;  \n",
        f"```sql\n{WANTED};\n```",
        f"```SQL\r\n{WANTED};\r\n```",
        f"```sqlite\n{WANTED}\n```\nThis lists the names.",
        f"```\n{WANTED}\n```",
        f"``` sql\n{WANTED}\n```",
        f"```sql {WANTED} ```",
        f"Here is the query:\n\n```sql\n{WANTED};\n```\n\nIt selects `name`; nothing else.",
        f"```sql\n{WANTED}",  # the reply was cut
        f"{WANTED}\n\nThis query selects the names.",
        f"{WANTED}\n```",  # a fence that was never opened
        f"SQL: {WANTED};",
        f"SQL：{WANTED}",
        f"SQLite query: {WANTED}",
        f"> {WANTED};",
        f"`{WANTED}`",
        f"The answer is: {WANTED};",
        f"查询如下：\n{WANTED};\n这条语句列出所有客户。",
        f"查询如下：{WANTED};",
        f"{WANTED}; DROP TABLE customer;",
        f"```sql\n{WANTED};\nSELECT 2;\n```",
        f"```sql\n{WANTED}\n```\n```sql\nSELECT 2\n```",
        f"```python\nprint('SELECT 1')\n```\n```sql\n{WANTED}\n```",
        f"With this query you get them:\n{WANTED}",
    ],
)
def test_the_first_statement_is_found(reply: str) -> None:
    assert statement_of(reply) == WANTED


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ';' FROM t WHERE a = 'it''s; fine'",
        'SELECT "a;b" FROM t',
        "SELECT a -- one; two\nFROM t",
        "SELECT a /* one; two */ FROM t",
        "SELECT [a;b], `c;d` FROM t",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "WITH RECURSIVE a(x) AS (SELECT 1) SELECT * FROM a",
        "with a as (select 1)\nselect * from a",
        "VALUES (1, 2)",
        "(SELECT 1) UNION SELECT 2",
        "-- all of them\nSELECT 1",
        "/* all of them */ SELECT 1",
        "SELECT '`' FROM t",
        "SELECT 名称 FROM 客户 WHERE 城市 = '北京'",
    ],
)
@pytest.mark.parametrize("form", ["```sql\n{};\n```", "```sql\n{}\n```\nfine"])
def test_a_statement_stays_whole_in_a_fence(statement: str, form: str) -> None:
    assert statement_of(form.format(statement)) == statement


def test_an_empty_line_inside_a_fence_is_part_of_the_query() -> None:
    assert statement_of("```sql\nSELECT a\n\nFROM t;\n```") == "SELECT a\n\nFROM t"


@pytest.mark.parametrize("word", ["UPDATE", "DELETE FROM", "DROP TABLE", "INSERT INTO", "PRAGMA", "ATTACH", "VACUUM"])
def test_a_reply_that_begins_with_a_change_is_not_read_past(word: str) -> None:
    assert statement_of(f"```sql\n{word} customer;\nSELECT 1;\n```") == f"{word} customer"
    assert statement_of(f"{word} customer;\nSELECT 1;") == f"{word} customer"


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n ",
        "I cannot answer this question.",
        "无法回答。",
        "```\n\n```",
        "```python\nprint(1)\n```",
        "42;",
        "selected",
    ],
)
def test_a_reply_without_sql_says_so(reply: str) -> None:
    with pytest.raises(NoStatement):
        statement_of(reply)


@pytest.mark.parametrize("reply", ["```" * 5000, "'" * 20000, "(" * 20000, "--" * 10000, "/*" * 10000, "`" * 20001])
def test_a_hostile_reply_ends_in_our_error_or_in_text(reply: str) -> None:
    for text in (reply, f"SELECT {reply}", f"```sql\nSELECT {reply}"):
        with suppress(NoStatement):
            assert statement_of(text).startswith("SELECT")
