"""What the model is asked: the whole DDL of the database, then the question.

The database stands before the question, so that questions to one database share the beginning of their prompts: an
engine with prefix caching reads the DDL once.

No examples, no rows, no plan: this is the plain prompt that everything cleverer has to beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from domains.sql.schema import Schema, ddl
from retrieval.language import Language

__all__ = ["PROMPT", "messages"]

PROMPT: Final = "plain-1"
"""Name of this wording; figures of different names cannot be compared."""

_SYSTEM: Final[Mapping[Language, str]] = {
    "en": "You translate questions into SQLite queries. Reply with a single SELECT statement in a ```sql block and "
    "nothing else. Use only tables and columns of the schema, and select only what the question asks for.",
    "zh": "你把问题翻译成 SQLite 查询。只用一个 ```sql 代码块回答，里面只有一条 SELECT 语句，不要写别的内容。"
    "只能使用给出的表和列，只查询问题所问的内容。",
}
_WORDS: Final[Mapping[Language, tuple[str, str, str]]] = {
    "en": ("Schema:", "Notes: ", "Question: "),
    "zh": ("数据库结构：", "说明：", "问题："),
}


def messages(schema: Schema, question: str, language: Language, *, notes: str = "") -> list[BaseMessage]:
    """Return the messages that ask for one query.

    Args:
        schema: of the database that is asked.
        question: as the user put it.
        language: of the instructions around it.
        notes: what words of the question mean in this database, such as a formula; may be empty.
    """
    structure, note, asked = _WORDS[language]
    parts = [f"{structure}\n```sql\n{ddl(schema)}\n```", f"{asked}{question.strip()}"]
    if notes.strip():
        parts.insert(1, f"{note}{notes.strip()}")
    return [SystemMessage(_SYSTEM[language]), HumanMessage("\n\n".join(parts))]
