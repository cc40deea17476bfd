"""Shows a number or a date as a spreadsheet shows it under a format code (ECMA-376, part 1, section 18.8.31).

0.125 under `0.0%` is what the reader saw as "12.5%", and what a question will call so. A code that hides a value
(`;;;`) gives an empty text.

Not covered: fractions (`# ?/?`), eras and calendars other than the Gregorian, and names of months in other languages
than English; such a value is shown plainly, a date in ISO 8601. The day order of the built-in short date depends on
the reader's country, so it is shown in ISO 8601 as well.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Final

__all__ = ["Shown", "shown"]

Shown = bool | int | float | str | datetime | date | time | timedelta
"""What a cell may hold."""

_TOKEN: Final = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]'
    r"|\[(?P<elapsed>h+|m+|s+)\]|\[(?P<test><=|>=|<>|<|>|=)(?P<bound>-?\d+(?:\.\d+)?)\]|\[[^\]]*\]"
    r"|(?P<clock>AM/PM|A/P|上午/下午)|(?P<general>General)|(?P<exponent>E[+-]0+)|(?P<date>y+|m+|d+|h+|s+|a{3,4})"
    r"|(?P<fraction>/(?=[?#\d]))|(?P<digit>[0#?])|(?P<mark>[.,%@;])|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_LOCAL_DATES: Final = frozenset({"mm-dd-yy", "m/d/yy h:mm", "m/d/yyyy"})  # built in, shown by country
_LONGEST_CODE: Final = 255  # characters; a program that follows the standard writes no longer one
_LARGEST: Final = 10**308 * 2  # beyond every double, so that nothing has more digits than a cell can be given
_DIGITS: Final = 800  # a double has at most 309 before its point
_PER_CENTS: Final = 4  # signs that count; more are a mistake
_TOO_WIDE: Final = "########"


_Tokens = tuple[tuple[str, str], ...]

_COMMON: Final = re.compile(r"(L*)(#,##0|#*0)(?:\.(0+))?([L%]*)")  # over one letter a token, L for words
_COMMON_LIMIT: Final = 1e15
_COMMON_DECIMALS: Final = 12


@dataclass(frozen=True, slots=True)
class _Common:
    """A section of the common form: words, one number with its decimals, words. Most cells have one."""

    before: str
    grouped: bool
    decimals: int
    after: str
    per_cents: int

    @classmethod
    def of(cls, tokens: _Tokens) -> _Common | None:
        letters = "".join("L" if kind == "literal" else text if len(text) == 1 else "X" for kind, text in tokens)
        found = _COMMON.fullmatch(letters)
        if found is None or len(found.group(3) or "") > _COMMON_DECIMALS:
            return None
        texts = [text for _, text in tokens]
        return cls(
            before="".join(texts[: found.end(1)]),
            grouped="," in found.group(2),
            decimals=len(found.group(3) or ""),
            after="".join(texts[found.start(4) :]),
            per_cents=min(found.group(4).count("%"), _PER_CENTS),
        )

    def write(self, number: Decimal, *, negative: bool) -> str:
        """Write a number that is not negative, with a sign if that is asked for and it is not rounded to zero."""
        rounded = number.scaleb(2 * self.per_cents).quantize(Decimal(1).scaleb(-self.decimals), ROUND_HALF_UP)
        sign = "-" if negative and rounded else ""
        return f"{sign}{self.before}{rounded:{',' if self.grouped else ''}f}{self.after}".strip()


@dataclass(frozen=True, slots=True)
class _Section:
    """The tokens of one section, as (kind, text), and the test that chooses it, if it says one."""

    tokens: _Tokens
    test: tuple[str, Decimal] | None = None
    common: _Common | None = None

    def has(self, kind: str) -> bool:
        return any(one == kind for one, _ in self.tokens)


def shown(value: Shown, code: str = "General") -> str:
    """Return what a reader sees of a value under a format code; nothing where the code shows nothing."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if code == "General" and isinstance(value, str):
        return value
    sections = _sections(code[:_LONGEST_CODE])
    if isinstance(value, str):
        return _text(value, sections)
    if isinstance(value, int | float):
        return _number(value, sections)
    if not any(section.tokens for section in sections):
        return "" if len(sections) > 1 else _iso(value)
    if code.lower() in _LOCAL_DATES or not (sections[0].has("date") or sections[0].has("elapsed")):
        return _iso(value)
    return _elapsed(value, sections[0]) if isinstance(value, timedelta) else _date(value, sections[0])


@lru_cache(maxsize=512)
def _sections(code: str) -> tuple[_Section, ...]:
    sections, tokens, test = list[_Section](), list[tuple[str, str]](), None
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup or "blank"
        text = match.group(kind) if match.lastgroup else ""
        if kind == "bound":
            test = (match.group("test"), Decimal(text))
        elif (kind, text) == ("mark", ";"):
            sections.append(_Section(tuple(tokens), test, _Common.of(tuple(tokens))))
            tokens, test = [], None
        elif kind in ("quoted", "escaped", "currency", "literal"):
            tokens.append(("literal", text))
        elif kind in ("elapsed", "date"):
            tokens.append((kind, text.lower()))
        elif kind != "blank":
            tokens.append((kind, text))
    return (*sections, _Section(tuple(tokens), test, _Common.of(tuple(tokens))))


def _text(value: str, sections: tuple[_Section, ...]) -> str:
    chosen = sections[3] if len(sections) > 3 else next((one for one in sections if one.has("mark")), None)
    if chosen is None or ("mark", "@") not in chosen.tokens:
        return "" if len(sections) > 3 else value
    return "".join(value if token == ("mark", "@") else token[1] for token in chosen.tokens).strip()


def _number(value: float, sections: tuple[_Section, ...]) -> str:
    if not -_LARGEST < value < _LARGEST:  # no number as well
        return _TOO_WIDE
    number = Decimal(repr(value))
    section, signed = _chosen(number, sections)
    if section.common is not None and -_COMMON_LIMIT < value < _COMMON_LIMIT:
        return section.common.write(abs(number), negative=signed and number < 0)
    if not section.tokens:
        return "" if len(sections) > 1 else _plain(value)
    if section.has("general"):
        return "".join(_plain(value) if kind == "general" else text for kind, text in section.tokens).strip()
    if ("mark", "@") in section.tokens or any(section.has(kind) for kind in ("fraction", "date", "elapsed")):
        return _plain(value)
    return _filled(abs(number), section, sign="-" if signed and number < 0 else "").strip()


def _chosen(number: Decimal, sections: tuple[_Section, ...]) -> tuple[_Section, bool]:
    """Return the section for a number, and whether its sign is to be written."""
    if any(section.test for section in sections):
        for section in sections:
            if section.test is None or _holds(number, *section.test):
                return section, section.test is None
        return sections[-1], True
    if len(sections) == 1 or (number == 0 and len(sections) == 2) or number > 0:
        return sections[0], True
    return (sections[1], False) if number < 0 else (sections[2], False)


def _holds(number: Decimal, test: str, bound: Decimal) -> bool:
    below, equal = number < bound, number == bound
    return {"<": below, "<=": below or equal, "=": equal, "<>": not equal, ">": not below and not equal}.get(
        test, not below
    )


def _plain(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"


def _filled(number: Decimal, section: _Section, *, sign: str) -> str:
    """Write a number that is not negative into the places of a section."""
    kinds = [kind for kind, _ in section.tokens]
    places = [at for at, kind in enumerate(kinds) if kind == "digit"]
    point = next((at for at, token in enumerate(section.tokens) if token == ("mark", ".")), len(kinds))
    whole, after = [at for at in places if at < point], [at for at in places if at > point]
    exponent = next((at for at, kind in enumerate(kinds) if kind == "exponent"), None)
    with localcontext() as context:
        context.prec = _DIGITS
        number *= 100 ** min(section.tokens.count(("mark", "%")), _PER_CENTS)
        last, end = max(whole, default=-1), max(after, default=point)
        commas = [at for at, token in enumerate(section.tokens) if token == ("mark", ",")]
        number /= 1000 ** sum(last < at < point or at > end for at in commas)
        power = ""
        if exponent is not None:
            shift = number.adjusted() if number else 0
            number = number.scaleb(-shift)
            form = section.tokens[exponent][1]
            power = f"E{'-' if shift < 0 else form[1].replace('-', '')}{abs(shift):0{len(form) - 2}d}"
        rounded = number.quantize(Decimal(1).scaleb(-min(len(after), 30)), rounding=ROUND_HALF_UP)
    digits, _, decimals = f"{rounded:f}".partition(".")
    grouped = any(whole and whole[0] < at < last for at in commas)
    filled = {**_whole(digits.lstrip("0"), whole, section, grouped=grouped), **_decimals(decimals, after, section)}
    if not places:  # a section of words
        filled = {}
    text = list[str]()
    for at, (kind, written) in enumerate(section.tokens):
        if kind == "digit":
            text.append(filled.get(at, ""))
        elif at == exponent:
            text.append(power)
        elif (kind, written) == ("mark", "."):
            text.append("." if any(filled.get(place) for place in after) else "")
        elif kind == "literal" or written == "%":
            text.append(written)
    return (sign if any(char in "123456789" for char in digits + decimals) or not places else "") + "".join(text)


def _whole(digits: str, places: list[int], section: _Section, *, grouped: bool) -> dict[int, str]:
    """Give each place before the point its digits, from the right; the first place takes all that are left."""
    filled, rest = dict[int, str](), digits
    for number, at in enumerate(reversed(places)):
        digit, rest = (rest, "") if at == places[0] else (rest[-1:], rest[:-1])
        filled[at] = digit or ("0" if section.tokens[at][1] == "0" else "")
        if grouped and filled[at]:
            filled[at] = _grouped(filled[at], before=number)
    return filled


def _grouped(digits: str, *, before: int) -> str:
    """Put a comma after each digit that has a multiple of three others after it, `before` of them outside."""
    text = list[str]()
    for place, digit in enumerate(digits):
        behind = len(digits) - place - 1 + before
        text.append(f"{digit}," if behind and behind % 3 == 0 else digit)
    return "".join(text)


def _decimals(digits: str, places: list[int], section: _Section) -> dict[int, str]:
    filled, kept = dict[int, str](), False
    for at, digit in reversed(list(zip(places, digits, strict=False))):
        kept = kept or digit != "0" or section.tokens[at][1] == "0"
        filled[at] = digit if kept else ""
    return filled


def _iso(value: datetime | date | time | timedelta) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return value.isoformat()


def _elapsed(value: timedelta, section: _Section) -> str:
    seconds, text, whole = round(value.total_seconds()), list[str](), 0
    units = {"h": 3600, "m": 60, "s": 1}
    for kind, written in section.tokens:
        if kind in ("elapsed", "date"):
            unit = units.get(written[0])
            if unit is None:
                return _iso(value)
            count = seconds // unit if kind == "elapsed" else seconds // unit % (24 if unit == 3600 else 60)
            whole += kind == "elapsed"
            text.append(f"{count:0{len(written)}d}")
        elif kind == "literal":
            text.append(written)
    return "".join(text).strip() if whole else _iso(value)


def _date(value: datetime | date | time, section: _Section) -> str:
    moment = value if isinstance(value, datetime) else datetime.combine(*_whole_moment(value))
    twelve = section.has("clock")
    written = [(at, text) for at, (kind, text) in enumerate(section.tokens) if kind == "date"]
    text = list[str]()
    for at, (kind, form) in enumerate(section.tokens):
        if kind == "date":
            before = next((other for place, other in reversed(written) if place < at), "")
            behind = next((other for place, other in written if place > at), "")
            minutes = form[0] == "m" and len(form) < 3 and (before[:1] == "h" or behind[:1] == "s")
            text.append(_part(moment, "n" * len(form) if minutes else form, twelve=twelve))
        elif kind == "clock":
            text.append(("AM", "PM")[moment.hour >= 12] if form.isascii() else ("上午", "下午")[moment.hour >= 12])
        elif kind == "elapsed":
            text.append(_part(moment, form.replace("m", "n"), twelve=False))
        elif kind in ("literal", "fraction") or (form in ",." and section.tokens[at + 1 : at + 2] != (("digit", "0"),)):
            text.append(form)
    return "".join(text).strip()


def _whole_moment(value: date | time) -> tuple[date, time]:
    return (date(1899, 12, 31), value) if isinstance(value, time) else (value, time())


def _part(moment: datetime, form: str, *, twelve: bool) -> str:
    """Return a part of a date; `n` stands for minutes."""
    hour = (moment.hour % 12 or 12) if twelve else moment.hour
    match form[0], len(form):
        case "y", length:
            return f"{moment.year % 100:02d}" if length <= 2 else f"{moment.year:04d}"
        case "m", length if length >= 3:
            name = calendar.month_name[moment.month]
            return name[:1] if length == 5 else name[:3] if length == 3 else name
        case (("d" | "a"), length) if length >= 3:
            name = calendar.day_name[moment.weekday()]
            return name[:3] if length == 3 else name
        case letter, length:
            number = {"m": moment.month, "d": moment.day, "h": hour, "n": moment.minute, "s": moment.second}[letter]
            return f"{number:0{min(length, 2)}d}"
