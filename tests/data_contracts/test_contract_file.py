"""A wrong contract is refused with its file, line and key; a right one compiles to what it says."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest

from data_contracts.contract import load
from data_contracts.errors import ContractError
from data_contracts.judge import judge
from data_contracts.measuring import sums
from data_contracts.rules import Bounds, Check

HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: things
version: 1.0.0
status: active
schema:
  - name: things
    properties:
      - {name: id, logicalType: string, primaryKey: true}
"""
NUMBER = "      - {name: n, logicalType: integer}\n"
CHECKS = {
    "odd": Check("violation", lambda column: pl.col(column) % 2 == 1),
    "above": Check("metric", lambda column, least=0: (pl.col(column) > least).sum()),
}


@pytest.fixture
def contract_of(tmp_path):
    def made(text: str):
        path = tmp_path / "things.odcs.yaml"
        path.write_text(text, encoding="utf-8")
        return load(str(path), CHECKS)

    return made


def quality(entry: str, level: str = "    ") -> str:
    return f"{HEAD}{NUMBER}{level}quality:\n{level}  - {entry}\n"


WRONG = [
    ("", 0, "empty"),
    ("a: [", 0, "not YAML"),
    ("- a", 0, "empty, or not a mapping"),
    (HEAD.replace("v3.1.0", "v3.0.2"), 1, "apiVersion: must be v3.1.0"),
    (HEAD.replace("kind: DataContract", "kind: Contract"), 2, "kind"),
    (HEAD.replace("status", "state"), 1, "state"),
    (HEAD.replace("name: id", "nam: id"), 9, "nam"),
    (f"{HEAD}      - {{name: n, logicalType: float}}\n", 10, "schema[0].properties[1].logicalType"),
    (f"{HEAD}      - {{name: n, logicalType: integer, physicalType: int7}}\n", 10, "int7"),
    (f"{HEAD}      - {{name: n}}\n", 10, "logicalType"),
    (f"{HEAD}      - {{name: n, logicalType: array}}\n", 10, "items"),
    (f"{HEAD}      - {{name: id, logicalType: string}}\n", 10, "twice"),
    (f"{HEAD}      - {{name: n, logicalType: integer, requird: true}}\n", 10, "requird"),
    (f"{HEAD}      - {{name: n, logicalType: integer, logicalTypeOptions: {{minLength: 1}}}}\n", 10, "minLength"),
    (f"{HEAD}      - {{name: n, logicalType: integer, logicalTypeOptions: {{multipleOf: 2}}}}\n", 10, "multipleOf"),
    (f'{HEAD}      - {{name: n, logicalType: string, logicalTypeOptions: {{pattern: "("}}}}\n', 10, "pattern"),
    (f"{HEAD}      - {{name: n, logicalType: string, logicalTypeOptions: {{minLength: a}}}}\n", 10, "minLength"),
    (HEAD.replace("- name: things", "- name: things\n    physicalName: THINGS@1"), 8, "no schema THINGS@1"),
    (HEAD.replace("- name: things", "- name: things\n    physicalName: DOCUMENT@2"), 10, "no column 'id'"),
    (f"{HEAD}      - {{name: on, logicalType: date}}\n", 10, "True is not of type 'string'"),  # YAML 1.1
    (HEAD + "  - {name: more, properties: []}\n", 6, "wants one object, has 2"),
    (quality("{name: a, metric: rowCount}"), 12, "mustBe"),
    (quality("{name: a, metric: rowCounts, mustBe: 1}"), 12, "rowCounts"),
    (quality("{name: a, metric: nullValues, mustBe: 0}"), 12, "not a metric of the whole"),
    (quality("{name: a, metric: rowCount, mustBe: many}"), 12, "mustBe"),
    (quality("{name: a, metric: rowCount, mustBeBetween: [3, 1]}"), 12, "3 is above 1"),
    (quality("{metric: rowCount, mustBe: 1}"), 12, "name"),
    (quality("{name: a, metric: rowCount, mustBe: 1, severity: fatal}"), 12, "fatal"),
    (quality("{name: a, metric: rowCount, mustNotBeBetween: [1, 2]}"), 12, "write two rules"),
    (quality("{name: a, metric: duplicateValues, mustBe: 0}"), 12, "arguments.properties"),
    (quality("{name: a, metric: duplicateValues, arguments: {properties: [m]}, mustBe: 0}"), 12, "does not fit"),
    (quality("{name: a, type: sql, query: SELECT 1, mustBe: 1}"), 12, "custom rule"),
    (quality("{name: a, type: custom, engine: soda, implementation: {metric: SUM(n)}}"), 12, "soda"),
    (quality("{name: a, type: custom, engine: polars, implementation: SUM(n)}"), 12, "mapping"),
    (quality("{name: a, type: custom, engine: polars, implementation: {metric: SUM(n)}}"), 12, "mustBe"),
    (quality("{name: a, type: custom, engine: polars, implementation: {metric: SUM(m), mustBe: 1}}"), 12, '"m"'),
    (quality("{name: a, type: custom, engine: polars, implementation: {metric: SUM(n, mustBe: 1}}"), 12, "SUM"),
    (quality('{name: a, type: custom, engine: polars, implementation: {violation: "n + 1"}}'), 12, "true or false"),
    (quality("{name: a, type: custom, engine: polars, implementation: {metric: MAX(id), mustBe: 1}}"), 12, "a number"),
    (quality("{name: a, type: custom, engine: polars, implementation: {check: even}}"), 12, "above, odd"),
    (quality("{name: a, type: custom, engine: polars, implementation: {chek: odd}}"), 12, "chek"),
    (quality("{name: a, type: custom, engine: polars, implementation: {metric: a, check: odd}}"), 12, "exactly one"),
]


@pytest.mark.parametrize(("text", "line", "told"), WRONG, ids=[f"{i}-{told}" for i, (_, _, told) in enumerate(WRONG)])
def test_a_wrong_contract_is_refused_with_file_line_and_key(contract_of, text: str, line: int, told: str):
    with pytest.raises(ContractError) as refused:
        contract_of(text)
    message = str(refused.value)
    assert "things.odcs.yaml" in message
    assert told in message
    if line:
        assert f"things.odcs.yaml:{line}:" in message


def test_wrong_arguments_of_a_check_are_named(contract_of):
    entry = "{name: a, type: custom, engine: polars, implementation: {check: above, arguments: {most: 1}, mustBe: 1}}"
    with pytest.raises(ContractError, match=r"implementation.arguments.*most"):
        contract_of(f"{HEAD}      - name: n\n        logicalType: integer\n        quality:\n          - {entry}\n")


def test_two_rules_of_one_name_are_refused(contract_of):
    with pytest.raises(ContractError, match="two rules are called 'a'"):
        contract_of(
            quality("{name: a, metric: rowCount, mustBe: 1}") + "      - {name: a, metric: rowCount, mustBe: 2}\n"
        )


RICH = f"""{HEAD}
      - name: n
        logicalType: integer
        logicalTypeOptions: {{exclusiveMinimum: 0, exclusiveMaximum: 100}}
        quality:
          - {{name: nulls, metric: nullValues, mustBeLessThan: 30, unit: percent}}
          - {{name: missing, metric: missingValues, arguments: {{missingValues: [99, null]}}, mustBeLessThan: 3}}
          - {{name: odd, type: custom, engine: polars, implementation: {{check: odd, mustBeLessOrEqualTo: 1}}}}
          - {{name: large, type: custom, engine: polars, implementation: {{check: above, arguments: {{least: 9}}, mustBe: 1}}}}
          - {{name: total, type: custom, engine: polars, implementation: {{metric: SUM(n), mustNotBe: 0}}}}
          - {{name: prose, type: text, description: numbers are good}}
      - name: parts
        logicalType: array
        items: {{name: part, logicalType: string}}
        logicalTypeOptions: {{minItems: 1, maxItems: 2}}
      - {{name: day, logicalType: date}}
    quality:
      - {{name: rows, metric: rowCount, mustBeBetween: [1, 5]}}
      - {{name: pairs, metric: duplicateValues, arguments: {{properties: [id, n]}}, mustBe: 0}}
      - {{name: given, type: custom, engine: polars, severity: warning, implementation: {{measure: m, mustBeGreaterThan: 1}}}}
"""
ROWS = [
    {"id": "a", "n": 2, "parts": ["x"], "day": None},
    {"id": "b", "n": 3, "parts": ["x", "y"], "day": None},
    {"id": "b", "n": 99, "parts": ["x"], "day": None},
    {"id": "c", "n": None, "parts": ["x"], "day": None},
]


def found_in(contract_of, rows: list[dict], measure: float = 2.0) -> dict[str, float | None]:
    columns = {"id": pl.String, "n": pl.Int64, "parts": pl.List(pl.String), "day": pl.Date}
    verdict = judge(pl.LazyFrame(rows, schema=columns), contract_of(RICH), "things/1", {"m": measure})
    found = {r.rule: r.found for r in verdict.results}
    found["failed"] = [r.rule for r in verdict.results if not r.passed]
    found["passed"] = verdict.passed
    return found


def test_every_kind_of_rule_is_measured(contract_of):
    found = found_in(contract_of, ROWS)
    assert found == {
        "schema.columns": 0,
        "n.exclusiveMinimum": 0,
        "n.exclusiveMaximum": 0,
        "n.nulls": 25,
        "n.missing": 2,
        "n.odd": 2,
        "n.large": 1,
        "n.total": 104,
        "parts.minItems": 0,
        "parts.maxItems": 0,
        "rows": 4,
        "pairs": 0,
        "given": 2,
        "failed": ["n.odd"],
        "passed": False,
    }


def test_a_warning_does_not_fail_the_verdict(contract_of):
    found = found_in(contract_of, [ROWS[0], {**ROWS[0], "id": "d", "n": 50}], measure=1.0)
    assert (found["failed"], found["passed"]) == (["given"], True)


def test_bounds_that_exclude_themselves(contract_of):
    rows = [{**ROWS[0], "n": 0}, {**ROWS[0], "n": 100}]
    assert found_in(contract_of, rows)["failed"] == ["n.exclusiveMinimum", "n.exclusiveMaximum"]


def test_a_number_that_must_not_be(contract_of):
    assert "n.total" in found_in(contract_of, [{**ROWS[0], "n": -2}, {**ROWS[0], "n": 2}])["failed"]


def test_nothing_to_measure_fails_instead_of_passing(contract_of):
    text = quality('{name: mean, type: custom, engine: polars, implementation: {metric: "AVG(n)", mustBeLessThan: 5}}')
    frame = pl.LazyFrame(schema={"id": pl.String, "n": pl.Int64})
    (mean,) = judge(frame, contract_of(text)).failures
    assert (mean.rule, mean.found) == ("mean", None)


def test_conditions_in_sql_may_ask_about_other_rows_so_no_part_answers_for_them(contract_of):
    texts = "{name: high, type: custom, engine: polars, implementation: {violation: 'n > AVG(n)', mustBe: 1}}"
    contract = contract_of(quality(texts))
    frame = pl.DataFrame({"id": ["a", "b", "c", "d"], "n": [1, 2, 1, 9]})
    parts = [sums(frame[:2].lazy(), contract), sums(frame[2:].lazy(), contract)]
    assert parts == [{}, {}]
    assert [r.found for r in judge(frame.lazy(), contract, parts=parts).results if r.rule == "high"] == [1.0]


def test_what_parts_found_is_not_measured_again(contract_of):
    frame = pl.DataFrame(ROWS, schema={"id": pl.String, "n": pl.Int64, "parts": pl.List(pl.String), "day": pl.Date})
    contract = contract_of(RICH)
    parts = [{name: number * 10 for name, number in sums(frame.lazy(), contract).items()}]
    found = {r.rule: r.found for r in judge(frame.lazy(), contract, "things/1", {"m": 2.0}, parts).results}
    assert (found["n.odd"], found["n.nulls"], found["n.total"], found["rows"]) == (20, 25, 104, 4)


def test_columns_that_are_missing_strange_or_of_another_type_fail_and_are_named(contract_of):
    frame = pl.LazyFrame({"id": ["a"], "n": ["1"], "extra": [1]})
    verdict = judge(frame, contract_of(RICH), measures={"m": 2.0})
    (columns,) = verdict.failures
    assert columns.rule == "schema.columns"
    assert {s.id: s.value for s in columns.samples} == {
        "n": "要 want Int64, 有 have String",
        "parts": "要 want List(String), 有 have 无 nothing",
        "day": "要 want Date, 有 have 无 nothing",
        "extra": "契约没有这一列 not in the contract",
    }


@pytest.mark.parametrize(
    ("operator", "value", "shown"),
    [
        ("mustBe", 1, "= 1"),
        ("mustNotBe", 0, "≠ 0"),
        ("mustBeGreaterThan", 0.5, "> 0.5"),
        ("mustBeGreaterOrEqualTo", 20_000_000, "≥ 20,000,000"),
        ("mustBeLessThan", 3, "< 3"),
        ("mustBeLessOrEqualTo", 3, "≤ 3"),
        ("mustBeBetween", [0.1, 3], "0.1 … 3"),
    ],
)
def test_bounds_are_shown_as_people_write_them(operator: str, value: object, shown: str):
    assert str(Bounds.of(operator, value)) == shown


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf")])
def test_bounds_are_numbers(value: object):
    with pytest.raises(ValueError, match="number"):
        Bounds.of("mustBe", value)


def test_great_expectations_comes_without_statistics_until_they_are_asked_for():
    code = (
        "import sys; from data_contracts.expectations import great_expectations as g; gx = g()\n"
        "import great_expectations.expectations.core.expect_column_kl_divergence_to_be_less_than as divergence\n"
        "print('scipy.stats' in sys.modules, divergence.stats.entropy([1, 1]) > 0, end=' ')\n"
        "from scipy import stats; print(stats.norm.cdf(0), stats is sys.modules['scipy.stats'])"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "True", "0.5", "True"]
