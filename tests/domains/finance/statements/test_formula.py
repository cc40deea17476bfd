"""The language of formulas: what parses to what, what is refused and where."""

from __future__ import annotations

import ast
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import DEFINITIONS, NODES, parsed
from domains.finance.statements.errors import FormulaError
from domains.finance.statements.formula import (
    FUNCTIONS,
    LONGEST,
    Binary,
    Call,
    Days,
    Item,
    Named,
    Negative,
    Node,
    Number,
    items,
    parse,
    positives,
    reach,
    show,
    walk,
)

REVENUE, CASH, EQUITY = Item("revenue"), Item("cash"), Item("equity")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("revenue", REVENUE),
        ("  revenue  ", REVENUE),
        ("((revenue))", REVENUE),
        ("1.50", Number(Decimal("1.50"))),
        ("days", Days()),
        ("-revenue", Negative(REVENUE)),
        ("--revenue", Negative(Negative(REVENUE))),
        ("revenue - -cash", Binary("-", REVENUE, Negative(CASH))),
        ("revenue-cash-equity", Binary("-", Binary("-", REVENUE, CASH), EQUITY)),
        ("revenue / cash / equity", Binary("/", Binary("/", REVENUE, CASH), EQUITY)),
        ("revenue + cash * equity", Binary("+", REVENUE, Binary("*", CASH, EQUITY))),
        ("(revenue + cash) * equity", Binary("*", Binary("+", REVENUE, CASH), EQUITY)),
        ("-revenue * cash", Binary("*", Negative(REVENUE), CASH)),
        ("avg(cash)", Call("avg", (CASH,))),
        ("prior(cash)", Call("prior", (CASH,))),
        ("prior(cash, 3)", Call("prior", (CASH,), (3,))),
        ("cagr(revenue, 5)", Call("cagr", (REVENUE,), (5,))),
        ("min(1, 2)", Call("min", (Number(Decimal(1)), Number(Decimal(2))))),
        ("sd(2, 3)", Call("sd", (Number(Decimal(2)),), (3,))),
        ("first(revenue, cash, equity)", Call("first", (REVENUE, CASH, EQUITY))),
        ("top(segment_revenue, 1)", Call("top", (Item("segment_revenue"),), (1,))),
        ("digit_z(1, 9)", Call("digit_z", (), (1, 9))),
        ("opt(goodwill)", Call("opt", (Item("goodwill"),))),
    ],
)
def test_a_formula_parses_as_it_is_meant(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "words", "column"),
    [
        ("", "unexpected end", 1),
        ("   ", "unexpected end", 4),
        ("revenue +", "unexpected end", 10),
        ("revenue cash", "unexpected 'cash'", 9),
        ("(revenue", "expected ')', found the end", 9),
        ("revenue)", "unexpected ')'", 8),
        ("avg(revenue", "expected ')'", 12),
        ("avg()", "unexpected ')'", 5),
        ("avg(revenue, cash)", "too many arguments", 14),
        ("min(revenue)", "too few arguments", 1),
        ("first(revenue)", "too few arguments", 1),
        ("first(revenue, cash, equity, goodwill, days)", "too many arguments", 40),
        ("cagr(revenue)", "too few arguments", 1),
        ("cagr(revenue, 1)", "from 2 to 10", 15),
        ("cagr(revenue, 11)", "from 2 to 10", 15),
        ("cagr(revenue, 2.5)", "from 2 to 10", 15),
        ("cagr(revenue, 9999999999)", "from 2 to 10", 15),
        ("cagr(revenue, cash)", "too many arguments", 15),
        ("digit_mad(3)", "from 1 to 2", 11),
        ("profit", "unknown name 'profit'", 1),
        ("revenue / profits", "unknown name 'profits'", 11),
        ("median(revenue)", "unknown function 'median'", 1),
        ("revenue(1)", "unknown function 'revenue'", 1),
        ("segment_revenue", "reported in parts", 1),
        ("top(revenue, 1)", "expected a line item in parts", 5),
        ("opt(1)", "expected a line item", 5),
        ("opt(revenue + cash)", "expected ')'", 13),
        ("opt(share_price)", "stands in no statement", 5),
        ("opt(guarantees)", "stands in no statement", 5),
        ("opt(segment_revenue)", "expected a line item", 5),
        ("revenue ** cash", "unexpected '*'", 10),
        ("revenue // cash", "unexpected '/'", 10),
        ("revenue % cash", "unexpected '%'", 9),
        ("revenue; cash", "unexpected ';'", 8),
        ("Revenue", "unexpected 'R'", 1),
        ("营业收入", "unexpected '营'", 1),
        ("'revenue'", 'unexpected "\'"', 1),
        ("__import__", "unknown name", 1),
        ("1e300", "unexpected 'e300'", 2),
        ("+revenue", "unexpected '+'", 1),
        ("revenue, cash", "unexpected ','", 8),
    ],
)
def test_what_is_not_a_formula_is_refused_with_its_place(text: str, words: str, column: int) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert f"at column {column}," in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "text", ["(" * 10_000 + "revenue", "-" * 10_000 + "revenue", "avg(" * 400 + "revenue", "1+" * 5000]
)
def test_a_monstrous_formula_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert len(str(caught.value)) < 150


def test_the_longest_chain_that_is_taken_can_be_walked_and_shown() -> None:
    text = "1" + " + 1" * 200
    assert len(text) <= LONGEST
    tree = parse(text)
    assert sum(isinstance(node, Number) for node in walk(tree)) == 201
    assert show(tree) == text
    assert reach(tree) == 0
    with pytest.raises(FormulaError, match="more than 200 operations"):
        parse(text + " + 1")


@given(st.text(max_size=60) | st.text("revnuca_shg()+-*/,. 0123456789", max_size=60))
def test_any_text_is_a_formula_or_is_refused(text: str) -> None:
    try:
        tree = parse(text)
    except FormulaError:
        return
    assert parse(show(tree)) == tree


plain = st.sampled_from([name for name, item in CONCEPTS.items() if not item.by_member]).map(Item)
leaf = (
    plain
    | st.just(Days())
    | st.integers(0, 999).map(lambda value: Number(Decimal(value)))
    | st.sampled_from([Named(name, node) for name, node in NODES.items()])
)
trees = st.recursive(
    leaf,
    lambda inner: (
        inner.map(Negative)
        | st.builds(Binary, st.sampled_from("+-*/"), inner, inner)
        | st.builds(lambda name, x: Call(name, (x,)), st.sampled_from(["avg", "change", "growth", "abs", "ln"]), inner)
        | st.builds(
            lambda name, x, k: Call(name, (x,), (k,)),
            st.sampled_from(["sd", "slope", "cagr"]),
            inner,
            st.integers(2, 10),
        )
        | st.builds(
            lambda name, x, y: Call(name, (x, y)), st.sampled_from(["min", "less", "first", "quotient"]), inner, inner
        )
    ),
    max_leaves=12,
)


@given(trees)
def test_what_is_shown_parses_to_the_same_tree(tree: Node) -> None:
    assert parsed(show(tree)) == tree


@given(trees)
def test_pythons_own_parser_reads_the_same_structure(tree: Node) -> None:
    """Operators bind as in Python, so that a second reading of the library can rest on its parser."""

    def shape(node: ast.expr) -> str:
        match node:
            case ast.BinOp(left=left, op=operator, right=right):
                return f"({shape(left)}{type(operator).__name__}{shape(right)})"
            case ast.UnaryOp(operand=operand):
                return f"(-{shape(operand)})"
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return f"{name}[{','.join(map(shape, arguments))}]"
        return ast.unparse(node)

    def ours(node: Node) -> str:
        match node:
            case Binary(operator, left, right):
                name = {"+": "Add", "-": "Sub", "*": "Mult", "/": "Div"}[operator]
                return f"({ours(left)}{name}{ours(right)})"
            case Negative(operand):
                return f"(-{ours(operand)})"
            case Call(name, arguments, numbers):
                return f"{name}[{','.join([*map(ours, arguments), *map(str, numbers)])}]"
        return show(node)

    assert shape(ast.parse(show(tree), mode="eval").body) == ours(tree)


@pytest.mark.parametrize(
    ("text", "periods"),
    [
        ("revenue", 0),
        ("avg(cash)", 1),
        ("change(avg(cash))", 2),
        ("prior(cash)", 1),
        ("prior(cash, 4)", 4),
        ("growth(revenue / avg(cash))", 2),
        ("cagr(revenue, 5)", 5),
        ("slope(revenue, 3)", 2),
        ("sd(growth(revenue), 3)", 3),
        ("revenue - prior(revenue) + sum(cash, 5)", 4),
        ("-avg(cash)", 1),
        ("sloan_accruals / avg(total_assets)", 1),
        ("digit_mad(1)", 0),
        ("top(segment_revenue, 5)", 0),
        ("min(prior(cash), cash)", 1),
    ],
)
def test_how_far_back_a_formula_reaches(text: str, periods: int) -> None:
    assert reach(parsed(text)) == periods


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("revenue", ()),
        ("revenue / 2", ()),
        ("quotient(revenue, cash)", ()),
        ("revenue / avg(cash)", ("avg(cash)",)),
        ("growth(revenue)", ("prior(revenue)",)),
        ("cagr(revenue, 3)", ("revenue", "prior(revenue, 3)")),
        ("cv(cash, 5)", ("mean(cash, 5)",)),
        ("ln(cash / 2)", ("cash / 2",)),
        ("ebit / (total_debt + equity) / (total_debt + equity)", ("total_debt + equity",)),
        ("nopat", ("pretax_income",)),
    ],
)
def test_what_must_be_positive_follows_from_the_formula(text: str, wanted: tuple[str, ...]) -> None:
    assert positives(parsed(text)) == wanted


def test_items_are_listed_once_in_the_order_of_the_formula() -> None:
    assert items(parsed("cash / revenue + cash - goodwill")) == ("cash", "revenue", "goodwill")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_means(name: str) -> None:
    assert len(FUNCTIONS[name].meaning) > 5
    assert name not in CONCEPTS
    assert name not in DEFINITIONS


def test_a_definition_keeps_its_name() -> None:
    node = parsed("net_debt / ebitda")
    assert show(node) == "net_debt / ebitda"
    assert {"cash", "long_term_debt", "pretax_income"} <= set(items(node))
