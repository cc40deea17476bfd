"""What a command to a language model looks like, in English and Chinese, for `retrieval.screen`.

Each group has words of which one must be there before its patterns are tried, since nearly no passage has one. The
patterns run on text in lower case. None has two unbounded repeats beside each other: a passage is a stranger's.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["COMMANDS", "LINKS", "MARKERS", "MENTIONS", "Group"]


class Group(NamedTuple):
    """Patterns that are tried where one of the words is in the text."""

    words: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]


def _group(*patterns: str, words: tuple[str, ...]) -> Group:
    return Group(words, tuple(map(re.compile, patterns)))


_START: Final = (  # where a clause without a subject begins
    r"(?:^|[.!?:;,>*#|\n()\[{}\"'“‘«-]\s*|\b(?:please|now|then|just|and|but|to|simply|kindly|immediately|"
    r"actually|also|hereby)\s+"
    r"|\byou\s+(?:must|should|shall|will|can|may|need\s+to|have\s+to|are\s+to|ought\s+to)\s+(?:now\s+)?)"
)
_DROP: Final = (
    r"(?:ignore|disregard|forget|overlook|override|bypass|discard|neglect|(?:do\s+not|don'?t|"
    r"stop)\s+(?:follow|obey|listen\s+to)(?:ing)?)"
)
_MODEL: Final = (
    r"(?:(?:large\s+)?language\s+models?|llms?|chat\s?bots?|chat\s?gpt|gpt(?:-?\d)?|ai(?:\s+(?:assistants?|"
    r"models?|agents?|bots?|systems?|reviewers?|tools?))?"
    r"|(?:virtual|digital)\s+assistants?|assistants?|copilot|claude|gemini|smartgpt)"
)
_SAY: Final = (
    r"(?:say|answer|respond|reply|tell|output|print|write|state|claim|recommend|rate|rank|score|"
    r"summari[sz]e|repeat|ignore|disregard|forget|include|add|always|never|do\s+not|don'?t|you\s+(?:must|should|"
    r"will|are)|please)"
)
_HELD: Final = (
    r"(?:instructions?|prompts?|directives?|commands?|rules|guidelines|guardrails|programming|"
    r"training|constraints|orders)"
)
_OWNED: Final = (
    r"\b(?!\s*(?:,?\s*(?:of|from|by|given|issued|provided|received|delivered|made|under|in\s+respect|"
    r"relating|sent|set|with|for|regarding|as|and\s+(?:any|all))\b))"
)

_BEFORE_ZH: Final = r"(?<![得应能可权止者或是会当])"  # 不得, 不应, 不能, 可, 有权, 禁止: a rule about it and no command

COMMANDS: Final = (
    # drop what you were told
    _group(
        _START + _DROP + r"\s+(?:(?:all|any|every|each|the|your|those|these|my|our|its|of|about|everything|"
        r"and)\s+){0,4}"
        r"(?:previous|prior|above|preceding|earlier|foregoing|existing|original|initial|current|system|former|"
        r"past|other)"
        r"(?:\s+(?:and|or)\s+\w+)?\s+(?:\w+\s+)?" + _HELD + _OWNED,
        _START + _DROP + r"\s+(?:all\s+(?:of\s+)?)?(?:your|my)\s+(?:\w+\s+)?" + _HELD + _OWNED,
        _START + _DROP + r"\s+(?:about\s+)?(?:all|everything|anything)\s+(?:of\s+)?(?:that\s+|"
        r"which\s+)?(?:you\s*(?:'ve|\s+have|\s+were|\s+had)|(?:said|written|stated)?\s*(?:above|"
        r"before\s+this))",
        _START + _DROP + r"\s+(?:about\s+)?(?:all\s+)?(?:the|those|these|any)?\s*" + _HELD + r"\s+(?:above|"
        r"before|(?:that\s+)?(?:you\s+(?:were|have|had|received)|tell\s+you))",
        _START + _DROP + r"\s+the\s+(?:above|rest\s+of\s+(?:the|this)\s+(?:document|text|page|"
        r"prompt))\s*(?:[.,;:!]|and\s+(?:say|print|output|write|state|tell|answer|respond|instead))",
        _START + _DROP + r"\s+(?:the|this)\s+(?:function|web\s?page|page|documents?|article|resume|table|paper|"
        r"text|question|user|email|contents?|context|code|data|passages?)\s+and\s+(?:instead\s+)?(?:say|print|"
        r"output|write|state|tell|answer|respond|return|send)\b",
        words=(
            "ignor",
            "disregard",
            "forget",
            "overlook",
            "overrid",
            "bypass",
            "discard",
            "neglect",
            "not follow",
            "n't follow",
            "stop follow",
            "obey",
            "listen",
        ),
    ),
    # become another
    _group(
        r"\byou\s+are\s+(?:now|no\s+longer)\s+(?:going\s+to\s+(?:act|be|play|pretend)|(?:an?\s+|"
        r"the\s+)?(?:[\w-]+\s+){0,3}?(?:ai|dan|chat\s?bot|language\s+model|llm|gpt|jailbroken|unrestricted|"
        r"bound\s+by\s+(?:any|your|the)\s+(?:rules|instructions|guidelines|restrictions)|(?:developer|god|"
        r"override|debug|admin)\s+mode))\b",
        r"\bfrom\s+now\s+on,?\s+you\s+(?:are\s+(?:an?|the)\s|(?:will|must|should|shall|are\s+to)\s+(?:only\s+|"
        r"always\s+|never\s+)?(?:act|answer|respond|reply|speak|obey|ignore|output|say|pretend|refuse)\b)",
        r"\b(?:act|behave|respond|pretend)\s+as\s+(?:if\s+you\s+(?:are|were)\s+)?(?:an?\s+)?(?:unrestricted|"
        r"uncensored|unfiltered|jailbroken|evil|different|another)\s+(?:[\w-]+\s+)?" + _MODEL + r"\b",
        r"\b(?:do\s+anything\s+now|jailbreak\s+mode|god\s+mode|(?:security\s+|system\s+|safety\s+|"
        r"training\s+data\s+)?override\s+mode|dan\s+mode|unrestricted\s+mode)\b",
        r"\b(?:system|developer|security|admin|training\s+data)\s+(?:\w+\s+){0,2}override\s*:",
        r"\bi\s*(?:'m|\s+am)\s+your\s+(?:developer|creator|programmer|administrator)\b",
        words=(
            "you are now",
            "no longer",
            "now on",
            "act as",
            "behave as",
            "respond as",
            "pretend",
            "do anything",
            "override",
            "i am your",
            "i'm your",
            " mode",
        ),
    ),
    # show what is hidden
    _group(
        r"\b(?:reveal|print|show|output|repeat|display|leak|disclose|expose|tell\s+me|give\s+me|send(?:\s+me)?|"
        r"what\s+(?:is|are|were))\s+(?:me\s+)?(?:all\s+(?:of\s+)?)?(?:your|the)\s+(?:full\s+|entire\s+|"
        r"exact\s+)?(?:(?:system|initial|hidden|secret|original)\s+(?:prompts?|instructions|"
        r"messages?)\b(?!\s+(?:the|a|you|users?|for)\b))",
        r"\byour\s+(?:system|initial|hidden|original|secret)\s+(?:prompt|instructions)\b",
        words=("prompt", "instructions", "override", "developer", "creator", "programmer", "administrator"),
    ),
    # keep it from the user
    _group(
        _START + r"(?:do\s+not|don'?t|never)\s+(?:ever\s+)?(?:tell|inform|alert|notify|warn|let)\s+(?:the\s+|"
        r"your\s+)?(?:user|human|person\s+asking|end\s+user)s?\b",
        _START + r"(?:do\s+not|don'?t|never)\s+(?:ever\s+)?(?:mention|reveal|disclose|show|repeat)\s+(?:this|"
        r"these|any\s+of\s+this|that\s+you|the\s+(?:above|instructions?|prompt))\b.{0,60}?\b(?:to\s+(?:the|"
        r"your)\s+(?:user|human|reader)|in\s+your\s+(?:answer|response|reply|output|summary))",
        r"\bwithout\s+(?:telling|informing|alerting|notifying|mentioning\s+(?:it|this)\s+to)\s+the\s+(?:user|"
        r"human)\b",
        words=("user", "human", "person asking", "in your "),
    ),
    # speak to the assistant
    _group(
        r"\bif\s+you\s+are\s+(?:an?\s+|any\s+)?(?:automated\s+)?(?:large\s+)?(?:language\s+model|llm|ai|"
        r"chat\s?bot|gpt|artificial\s+intelligence)\b",
        r"\bas\s+an?\s+(?:helpful\s+)?(?:large\s+)?(?:language\s+model|ai|llm|ai\s+(?:assistant|model|"
        r"language\s+model)|assistant)\s*,?\s+you\s+(?:must|should|will|are|have|need|can)\b",
        r"\b(?:attention|note|message|notice|important|instructions?|memo|hint|reminder)\s*,?\s*(?:to|"
        r"for)?\s*(?:the\s+|any\s+|all\s+)?" + _MODEL + r"(?:\s+(?:reading|processing|reviewing|"
        r"summari[sz]ing)\s+this(?:\s+\w+)?)?\s*[:!,]",
        r"(?:^|[.!?\n>*#(\[{\"'“-]\s*)(?:hey|hi|hello|dear|"
        r"attention)?,?\s*(?:the\s+)?" + _MODEL + r"\s*[,:]\s*(?:now\s+|"
        r"if\s+\w+\s+\w+.{0,40}?,\s*)?" + _SAY + r"\b",
        r"\b(?:when|if|whenever)\s+(?:you\s+are|the\s+user)\s+(?:asks?|asked|queried|"
        r"prompted)\b.{0,80}?,\s*(?:you\s+(?:must|should|will)\s+)?(?:always\s+)?(?:say|answer|respond|reply|"
        r"output|tell\s+(?:them|the\s+user))\b",
        r"\b(?:tell|instruct|ask|urge|direct|convince)\s+the\s+user\s+(?:to|that)\b.{0,80}?(?:https?:|www\.|"
        r"\.com|\.xyz|\bpassword|\blink\b|\bcredit\s+card|\bclick|\baccount\b)",
        words=(
            "assistant",
            "language model",
            "llm",
            "gpt",
            "bot",
            "copilot",
            "claude",
            "gemini",
            "ai ",
            "ai,",
            "ai:",
            "intelligence",
            "the user",
            "you are asked",
        ),
    ),
    # bend the answer
    _group(
        _START
        + r"(?:modify|alter|enhance|adjust|twist|bend)\s+your\s+(?:\w+\s+)?(?:answer|response|reply|output|summary|"
        r"elucidation)\b",
        _START + r"(?:integrate|inject|embed|weave|slip|sneak|smuggle|incorporate|append)\s+.{1,120}?\b(?:in|"
        r"into|to|within|at\s+the\s+end\s+of)\s+your\s+(?:\w+\s+)?(?:answer|response|reply|output|summary)\b",
        _START + r"(?:encode|encrypt|reverse|scramble|misspell|obfuscate|translate|"
        r"rewrite)\s+(?:\w+\s+){0,4}?your\s+(?:\w+\s+)?(?:answer|response|reply|output)\b",
        words=(" your ",),
    ),
    # set phrases of other languages
    _group(
        r"\bignor(?:a|ar|e|en)\s+(?:todas?\s+)?(?:las\s+)?(?:instrucciones|órdenes)\s+(?:anteriores|previas)",
        r"\bignore[rz]?\s+(?:toutes?\s+)?les\s+(?:instructions|consignes)\s+(?:précédentes|antérieures|"
        r"ci-dessus)",
        r"\bignorier(?:e|en\s+sie)?\s+(?:alle\s+)?(?:die\s+)?(?:vorherigen|obigen|bisherigen|"
        r"vorigen)\s+(?:anweisungen|instruktionen|befehle)",
        words=("ignor",),
    ),
    # the same in Chinese
    _group(
        _BEFORE_ZH + r"(?:忽略|无视|忘记|忘掉|忽视|不要理会|不用理会|抛开|绕过)(?:掉|你|您|我|之前|以上|上述|上面|"
        r"前面|先前|此前|原有|原来|已有|所有|一切|全部|任何|"
        r"收到|系统|这些|那些|给|过|的|及|和|与){1,10}(?:指令|指示|提示词|提示|命令|设定|约束|系统消息|"
        r"规则|内容)(?!的(?:客户|当事人|委托人|借款人))",
        _BEFORE_ZH + r"(?:忽略|无视)(?:这|该|本|整)?(?:个|篇|份)?(?:网页|简历|文档|文章|函数|论文|表格|上文|"
        r"正文)(?:并|和|，|,|然后|的)",
        r"(?:请|现在)?(?:你|您)(?:现在|已经|将|要|必须)*(?:是|扮演|变成|成为|充当)(?:一个|一名|"
        r"一位)?[^，。；\n]{0,12}(?:人工智能|AI|ai|大模型|语言模型|"
        r"聊天机器人|智能助手|越狱|不受限制)",
        r"(?:你|您)现在(?:是|扮演|处于|进入|的身份是)[^，。；\n]{0,12}(?:助手|模型|机器人|黑客|"
        r"开发者模式|管理员模式|角色|DAN|dan)",
        r"从现在(?:开始|起)[，,]?\s*(?:你|您)(?:只|都|是|要|将|必须|应该?|需要?|"
        r"不再)[^，。；\n]{0,10}(?:回答|回复|扮演|忽略|输出|服从|假装|助手|模型)",
        r"(?:不要|别|切勿|请勿|不准)(?:把这[^，。；\n]{0,6})?(?:告诉|告知|透露给|提醒|让)(?:用户|使用者|"
        r"提问者)",
        r"(?:显示|输出|打印|告诉我|泄露|重复|公布|透露|展示|说出)(?:出|一下|你|您|的|全部|"
        r"完整){0,4}(?:系统提示词?|系统指令|初始指令|隐藏指令|提示词|秘密密?钥)",
        r"(?:你|您)的(?:系统提示词?|系统指令|初始指令|隐藏指令|提示词)",
        r"(?:^|[。！？：:\n“\"])(?:致|给|请注意|注意)?[，,：:]?(?:AI|ai|人工智能|智能|大语言|语言|"
        r"大)?(?:助手|模型|机器人)[，,：:]\s*(?:请|你|您|必须|"
        r"务必|忽略|不要|只|在回答|回答|输出|现在)",
        r"如果(?:你|您)是(?:一个|一名)?(?:AI|ai|人工智能|大?语言模型|大模型|智能助手|聊天机器人)",
        r"作为(?:一个|一名|由?\w{0,10}开发的)?(?:AI|ai|人工智能|大?语言模型|大模型)(?:助手|"
        r"模型)?[，,]?\s*(?:你|您)(?:必须|应该?|需要?|要|将|只能|不得)",
        r"(?:启动|进入|激活|开启)[“”\"]?(?:系统重置|越狱模式|开发者模式|不受限模式|上帝模式|超级管理员模式)",
        words=(
            "忽略",
            "无视",
            "忘记",
            "忘掉",
            "忽视",
            "理会",
            "抛开",
            "绕过",
            "你",
            "您",
            "用户",
            "使用者",
            "提问者",
            "提示",
            "指令",
            "钥",
            "助手",
            "模型",
            "机器人",
            "模式",
            "系统重置",
        ),
    ),
)

MARKERS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|end_of_text|begin_of_text|"
        r"start_header_id|end_header_id|eot_id)\|>",
        r"\[/?inst\]|<</?sys>>",
        r"<[/\\]?(?:(?:system|developer|admin)[_ -](?:prompt|message|instructions?|override|reminder|mode)|"
        r"assistant_response|untrusted_content)>",
        r"(?:^|\n)\s*#{2,}\s*(?:system\s+(?:prompt|message)|new\s+instructions?|end\s+of\s+(?:document|context|"
        r"instructions))\b",
        r"<(?:tool_call|function_calls?|tool_use|antml:invoke|invoke\s+name\s*=)|\"(?:tool_calls|"
        r"function_call)\"\s*:\s*[\[{]",
        r"\{\s*\"(?:name|tool|function)\"\s*:\s*\"[\w.-]{1,60}\"\s*,\s*\"(?:arguments|parameters|"
        r"args)\"\s*:\s*[{\[]",
    )
)
LINKS: Final = (
    re.compile(
        r"!\[[^\]\n]{0,200}\]\(\s*https?://[^)\s]{0,300}(?:[{<\[$%]|[?&](?:q|d|data|prompt|history|"
        r"conversation|"
        r"context|secret"
        r"|token|answer|summary|user|msg|message|chat|leak|c)=)",
    ),
    re.compile(r"<img\b[^>]{0,200}\bsrc\s*=\s*[\"']?https?://[^>\s]{0,300}[{$][^>]{0,100}>"),
)
MENTIONS: Final = re.compile(
    r"\b(?:such\s+as|like|e\.?g\.?|for\s+(?:example|instance)|phrases?|words|wording|strings?|texts?|"
    r"sentences?|"
    r"commands?|prompts?|attack\w*"
    r"|inject\w*|attempts?|patterns?|includ\w+|called|contain\w*|detect\w*|say(?:s|ing)?|known\s+as|"
    r"reads?)\b[^\"“'‘«`]{0,40}$"
    r"|(?:例如|比如|诸如|如|类似|短语|语句|包含|攻击|注入|所谓)[^\"“‘「]{0,12}$"
)
