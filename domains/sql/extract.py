"""Takes the SQL out of a reply: out of a fenced block, or from the first statement-like line of bare text.

The rules, in this order:

1. The first fenced block that begins like a query. A block that the reply never closes ends with the reply. A block
   whose language is a programming language other than SQL does not count.
2. In text without such a block, from the first line that begins like a query, else from a SELECT in capitals within a
   line, up to an empty line, a fence or the end: models put prose after a query, seldom within.
3. Of several statements, the first. A semicolon inside a quoted text or a comment ends nothing.

What comes out was not checked: that is `guard`'s. The first statement is taken whatever it is, so that a reply that
begins with an UPDATE is refused, not read past.
"""

from __future__ import annotations

import re
from typing import Final

from domains.sql.errors import NoStatement

__all__ = ["statement_of"]

_FENCE: Final = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[ \t]*\r?\n?(.*?)(?:```|\Z)", re.DOTALL)
_SQL_NAMES: Final = frozenset({"", "sql", "sqlite", "sqlite3", "query", "text", "plaintext"})
_BEGINNING: Final = (
    "select|with|values|insert|update|delete|replace|create|drop|alter|attach|detach|pragma|vacuum|explain|analyze|"
    "reindex|begin|commit|rollback|savepoint|release|truncate|merge|grant|revoke|call|exec"
)
_STARTS: Final = re.compile(rf"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*|\(\s*)*(?:{_BEGINNING})\b", re.IGNORECASE | re.DOTALL)
_LINE: Final = re.compile(rf"^[ \t>*`]*(?:sql(?:ite)?(?: query)?[ \t]*[:：][ \t]*)?(?=(?:{_BEGINNING})\b)", re.I | re.M)
_PROSE_WITH: Final = re.compile(r"with\s+(?:recursive\s+)?[\w\"`\[]+[^\n]*?\bas\b", re.IGNORECASE)
_WITHIN: Final = re.compile(r"\bSELECT\b")
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n|```|`[ \t]*$", re.MULTILINE)
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|;", re.DOTALL)


def statement_of(reply: str) -> str:
    """Return the first statement of a reply, without its semicolon.

    Raises:
        NoStatement: nothing in the reply begins like a statement.
    """
    for language, block in _FENCE.findall(reply):
        if language.lower() in _SQL_NAMES and _STARTS.match(block):
            return _first(block)
    outside = _FENCE.sub("\n\n", reply) if "```" in reply else reply
    for match in _LINE.finditer(outside):
        rest = outside[match.end() :]
        if rest[:4].lower() == "with" and not _PROSE_WITH.match(rest):
            continue  # "With this query you get ..."
        return _first(_PARAGRAPH.split(rest, maxsplit=1)[0])
    if within := _WITHIN.search(outside):
        return _first(_PARAGRAPH.split(outside[within.start() :], maxsplit=1)[0])
    raise NoStatement("The reply holds no SQL statement.", remedy="Ask again, or put the question in other words.")


def _first(text: str) -> str:
    end = next((match.start() for match in _TOKEN.finditer(text) if match.group() == ";"), len(text))
    return text[:end].strip()
