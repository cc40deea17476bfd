"""What the pages say, in English and Chinese: one table, so that no string has only one language."""

from __future__ import annotations

from typing import Final

from retrieval.language import Language

__all__ = ["CATALOG", "preferred", "say"]

CATALOG: Final[dict[str, dict[Language, str]]] = {
    "title": {"en": "Vouch", "zh": "Vouch 凭据问答"},
    "tagline": {
        "en": "Answers from your documents. Every sentence is checked against the page it cites.",
        "zh": "只依据您的文件作答，每一句都经所引页面核对。",
    },
    "documents": {"en": "Documents", "zh": "文件"},
    "add": {"en": "Add documents", "zh": "添加文件"},
    "formats": {"en": "PDF, Word, HTML, Markdown, text", "zh": "PDF、Word、HTML、Markdown、文本"},
    "ask": {"en": "Ask about your documents…", "zh": "就您的文件提问……"},
    "send": {"en": "Ask", "zh": "提问"},
    "stop": {"en": "Stop", "zh": "停止"},
    "new": {"en": "New conversation", "zh": "新对话"},
    "domain": {"en": "Domain", "zh": "领域"},
    "auto": {"en": "Automatic", "zh": "自动"},
    "empty": {
        "en": "Add a document on the left, then ask. What the documents do not say, Vouch does not say either.",
        "zh": "请先在左侧添加文件，再提问。文件里没有的，Vouch 不会编造。",
    },
    "searching": {"en": "Searching your documents…", "zh": "正在检索您的文件……"},
    "reading": {"en": "Reading {n} passages…", "zh": "正在阅读 {n} 个段落……"},
    "unchecked": {"en": "draft, not yet checked", "zh": "草稿，尚未核对"},
    "sources": {"en": "Sources", "zh": "出处"},
    "nearest": {"en": "The nearest passages", "zh": "最接近的段落"},
    "page": {"en": "page {n}", "zh": "第 {n} 页"},
    "struck": {"en": "{n} struck out: not supported by the source", "zh": "已删去 {n} 句：出处不支持"},
    "record": {"en": "Record {n} · {leaf}", "zh": "记录 {n} · {leaf}"},
    "highlight": {"en": "Cited passage", "zh": "引用段落"},
    "previous": {"en": "Previous page", "zh": "上一页"},
    "next": {"en": "Next page", "zh": "下一页"},
    "of": {"en": "Page {page} of {pages}", "zh": "第 {page} 页，共 {pages} 页"},
    "back": {"en": "Back to the questions", "zh": "返回提问"},
}


def say(key: str, language: Language, **values: object) -> str:
    """Return a phrase, its values filled in."""
    return CATALOG[key][language].format(**values)


def preferred(accept_language: str | None) -> Language:
    """Choose the page's language from the browser's Accept-Language header: Chinese when it is named first."""
    first = (accept_language or "").split(",")[0].strip().lower()
    return "zh" if first.startswith("zh") else "en"
