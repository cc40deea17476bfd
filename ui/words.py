"""What the pages say, in English and Chinese: one table, so that no string has only one language."""

from __future__ import annotations

from typing import Final

from retrieval.language import Language

__all__ = ["CATALOG", "preferred", "say", "say_reason"]

CATALOG: Final[dict[str, dict[Language, str]]] = {
    "title": {"en": "Vouch", "zh": "Vouch 凭据问答"},
    "tagline": {
        "en": "Answers from your documents. Every sentence is checked against the page it cites.",
        "zh": "只依据您的文件作答，每一句都经所引页面核对。",
    },
    "documents": {"en": "Documents", "zh": "文件"},
    "add": {"en": "Add documents", "zh": "添加文件"},
    "formats": {
        "en": "PDF, Word, PowerPoint, Excel, CSV, HTML, mail, Markdown, text, JSON, FHIR, C-CDA",
        "zh": "PDF、Word、PowerPoint、Excel、CSV、HTML、邮件、Markdown、文本、JSON、FHIR、C-CDA",
    },
    "kind_interim_report": {"en": "interim report", "zh": "中期报告"},
    "kind_quarterly_report": {"en": "quarterly report", "zh": "季度报告"},
    "kind_annual_report": {"en": "annual report", "zh": "年度报告"},
    "kind_earnings_release": {"en": "earnings release", "zh": "业绩公告"},
    "kind_prospectus": {"en": "prospectus", "zh": "招股说明书"},
    "kind_proxy_statement": {"en": "proxy statement", "zh": "股东委托书"},
    "kind_audit_report": {"en": "audit report", "zh": "审计报告"},
    "kind_medical_record": {"en": "medical record", "zh": "病历"},
    "kind_minutes": {"en": "minutes", "zh": "会议纪要"},
    "kind_guideline": {"en": "guideline", "zh": "指南"},
    "kind_contract": {"en": "contract", "zh": "合同"},
    "kind_statute": {"en": "statute", "zh": "法律法规"},
    "kind_policy": {"en": "policy", "zh": "制度"},
    "remarks": {"en": "{n} to know before you rely on it", "zh": "引用前须知 {n} 条"},
    "remark_hidden_text": {"en": "text that no reader sees was left out", "zh": "含读者看不见的文字，已剔除"},
    "remark_off_page_text": {"en": "text outside the page was left out", "zh": "含页面以外的文字，已剔除"},
    "remark_instruction_like": {
        "en": "a passage that gives the assistant orders is kept out of answers",
        "zh": "含指挥助手的文字，不用于作答",
    },
    "remark_role_marker": {
        "en": "a passage with the marks of a chat with a model is kept out of answers",
        "zh": "含对话模型的标记，不用于作答",
    },
    "remark_exfiltration_link": {
        "en": "a passage with a picture whose address would carry data away is kept out of answers",
        "zh": "含可能外传数据的图片链接，不用于作答",
    },
    "remark_encoded_instruction": {
        "en": "a passage with encoded orders to the assistant is kept out of answers",
        "zh": "含经编码的指令，不用于作答",
    },
    "remark_scanned_read": {"en": "a picture, read by text recognition", "zh": "扫描页，已用文字识别读取"},
    "remark_scanned_unread": {"en": "a picture, not read", "zh": "扫描页，未能读取"},
    "remark_picture_unread": {"en": "a slide that is a picture, not read", "zh": "整页为图片的幻灯片，未能读取"},
    "remark_chart_unread": {"en": "a chart whose values could not be read", "zh": "图表数值未能读取"},
    "remark_attachment_unread": {"en": "an attachment was not read", "zh": "附件未读取"},
    "remark_formula_unread": {
        "en": "formulas without a saved value: open and save the file in a spreadsheet program",
        "zh": "公式没有保存的结果：请用表格软件打开并重新保存",
    },
    "remark_doubtful_text": {"en": "text that may be hidden, and was kept", "zh": "含可能被隐藏的文字，已保留"},
    "remark_several_patients": {"en": "a record of more than one patient", "zh": "含多名患者的记录"},
    "remark_broken_reference": {"en": "references that lead nowhere", "zh": "含无法找到对象的引用"},
    "remark_entry_unread": {"en": "entries that were not read", "zh": "有条目未读取"},
    "remark_truncated": {"en": "more of it than was read", "zh": "内容过多，未全部读取"},
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
    "corrected": {"en": "the draft cited another passage", "zh": "草稿原引另一段落，已更正"},
    "computed": {"en": "computed", "zh": "计算"},
    "reason_value_differs": {"en": "the source has another figure", "zh": "出处的数值不同"},
    "reason_value_missing": {"en": "the source does not have this figure", "zh": "出处没有该数值"},
    "reason_value_of_another": {"en": "the figure belongs to something else there", "zh": "该数值在出处说的是另一事项"},
    "reason_not_entailed": {
        "en": "put together from scraps of the source and other words",
        "zh": "由出处的零散词句与其他词语拼凑而成",
    },
    "reason_low_support": {"en": "the source does not say this", "zh": "出处没有这样说"},
    "reason_not_about_question": {"en": "the source is not about the question", "zh": "出处与问题无关"},
    "reason_subject_missing": {"en": "no source has what the question names", "zh": "出处没有问题所指的对象"},
    "reason_negation": {"en": "the source says the opposite", "zh": "出处的说法相反"},
    "reason_direction": {"en": "the source says the opposite direction", "zh": "出处的变化方向相反"},
    "reason_modality": {"en": "the source allows it and does not require it", "zh": "出处是“可以”而非“应当”"},
    "reason_no_evidence": {"en": "there is no source", "zh": "没有出处"},
    "reason_instruction_like": {"en": "the source gives the assistant orders there", "zh": "出处此处是在指挥助手"},
    "reason_foreign_link": {"en": "the source does not have this address", "zh": "出处没有该网址"},
    "reason_no_statement": {"en": "it asks, and states nothing", "zh": "它是在提问，没有陈述内容"},
    "reason_only_asked": {"en": "the source asks this and does not state it", "zh": "出处只是提问，没有陈述"},
    "reason_other_language": {
        "en": "neither the language of the question nor of the source",
        "zh": "与问题和出处的语言都不同",
    },
    "ended_cut": {"en": "The draft was cut: it did not end.", "zh": "草稿过长，已截断。"},
    "ended_repeating": {"en": "The draft was ended: it repeated itself.", "zh": "草稿不断重复，已停止。"},
    "ended_leaked": {"en": "The draft was stopped: it recited its own rules.", "zh": "草稿在复述自身规则，已停止。"},
    "kept_out": {
        "en": "{n} sentences of the sources give the assistant orders; they were kept from it.",
        "zh": "出处中有 {n} 句在指挥助手，未交给它。",
    },
    "record": {"en": "Record {n} · {leaf}", "zh": "记录 {n} · {leaf}"},
    "highlight": {"en": "Cited passage", "zh": "引用段落"},
    "previous": {"en": "Previous page", "zh": "上一页"},
    "next": {"en": "Next page", "zh": "下一页"},
    "of": {"en": "Page {page} of {pages}", "zh": "第 {page} 页，共 {pages} 页"},
    "audit_title": {"en": "Audit", "zh": "审计"},
    "audit_tagline": {
        "en": "Every answer, every reading, every change, in the order in which it happened.",
        "zh": "每一次回答、查阅与变更，按发生的先后记录在案。",
    },
    "audit_state": {"en": "State of the ledger", "zh": "账本状态"},
    "audit_entries": {"en": "Entries", "zh": "条目数"},
    "audit_root": {"en": "Root", "zh": "根哈希"},
    "audit_minimum": {"en": "Kept from entry", "zh": "保留自条目"},
    "audit_copy": {"en": "Searchable copy", "zh": "检索副本"},
    "audit_checkpoint": {"en": "Signed checkpoint", "zh": "签名检查点"},
    "audit_current": {"en": "up to date", "zh": "已同步"},
    "audit_behind": {"en": "{n} behind", "zh": "落后 {n} 条"},
    "audit_covers": {"en": "covers {n} entries", "zh": "覆盖 {n} 条"},
    "audit_unsigned": {"en": "none yet", "zh": "尚无"},
    "audit_verify": {"en": "Verify everything", "zh": "验证全部"},
    "audit_verifying": {"en": "Hashing every entry anew…", "zh": "正在重新计算每个条目的哈希……"},
    "audit_intact": {
        "en": "Intact: {n} entries, and {rows} rows of the copy, are what they were.",
        "zh": "完好：{n} 个条目与检索副本的 {rows} 行均与记录一致。",
    },
    "audit_person": {"en": "Person", "zh": "人员"},
    "audit_since": {"en": "From", "zh": "自"},
    "audit_until": {"en": "Before", "zh": "至（不含）"},
    "audit_domain": {"en": "Domain", "zh": "领域"},
    "audit_source": {"en": "Document id or SHA-256", "zh": "文件编号或 SHA-256"},
    "audit_verdict": {"en": "Verdict", "zh": "核对结论"},
    "audit_verdicts": {"en": "Claims", "zh": "陈述"},
    "audit_outcome": {"en": "Outcome", "zh": "结果"},
    "audit_action": {"en": "Action", "zh": "动作"},
    "audit_any": {"en": "any", "zh": "不限"},
    "audit_search": {"en": "Search", "zh": "查询"},
    "audit_none": {"en": "Nothing was found.", "zh": "没有找到。"},
    "audit_more": {"en": "Older entries", "zh": "更早的条目"},
    "audit_entry": {"en": "Entry", "zh": "条目"},
    "audit_time": {"en": "Time", "zh": "时间"},
    "audit_answer": {"en": "Answer", "zh": "回答"},
    "audit_tell": {"en": "story", "zh": "详情"},
    "audit_story": {"en": "Story of the answer", "zh": "回答始末"},
    "audit_close": {"en": "Close", "zh": "关闭"},
    "audit_supported": {"en": "supported", "zh": "有依据"},
    "audit_contradicted": {"en": "contradicted", "zh": "相矛盾"},
    "audit_unsupported": {"en": "unsupported", "zh": "无依据"},
    "audit_content": {"en": "Question and answer", "zh": "问答内容"},
    "audit_kept": {"en": "kept, sealed", "zh": "已加密保存"},
    "audit_gone": {"en": "erased", "zh": "已删除"},
    "audit_receipt": {"en": "Record", "zh": "记录"},
    "audit_stands": {"en": "entry {n} in a tree of {size}", "zh": "第 {n} 条，树含 {size} 条"},
    "audit_leaf": {"en": "Leaf hash", "zh": "叶哈希"},
    "audit_pruned": {"en": "Pruned under policy", "zh": "依保留策略清除"},
    "audit_no_documents": {"en": "none", "zh": "无"},
    "audit_evidence": {"en": "Evidence", "zh": "证据"},
    "audit_as_evidence": {"en": "passage", "zh": "段落"},
    "audit_as_added": {"en": "file", "zh": "文件"},
    "audit_open": {"en": "Audit", "zh": "审计"},
    "back": {"en": "Back to the questions", "zh": "返回提问"},
}


def say(key: str, language: Language, **values: object) -> str:
    """Return a phrase, its values filled in."""
    return CATALOG[key][language].format(**values)


def say_reason(code: str | None, language: Language) -> str:
    """Return in words why a claim was struck out; a code that has no words yet is shown as it is."""
    if code is None:
        return ""
    known = CATALOG.get(f"reason_{code}")
    return code if known is None else known[language]


def preferred(accept_language: str | None) -> Language:
    """Choose the page's language from the browser's Accept-Language header: Chinese when it is named first."""
    first = (accept_language or "").split(",")[0].strip().lower()
    return "zh" if first.startswith("zh") else "en"
