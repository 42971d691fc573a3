"""裁决 verdict: what a gate found, as JSON."""

from __future__ import annotations

from pydantic import Field

from data_contracts.model import Model
from data_contracts.rules import Severity


class Sample(Model):
    """One row that breaks a rule."""

    id: str
    value: str = ""  # the value of the rule's column, cut
    excerpt: str = ""  # the beginning of the row's text, when it has one


class RuleResult(Model):
    """One rule: what was asked, what was found."""

    rule: str
    title: str
    column: str | None
    severity: Severity
    unit: str
    asked: str  # "≥ 100"
    found: float | None  # None: nothing to measure, as the mean of no rows
    passed: bool
    samples: tuple[Sample, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether this result stops a gate."""
        return not self.passed and self.severity == "error"


class Verdict(Model):
    """One dataset held against one contract. Only rules of severity `error` decide `passed`."""

    contract: str  # id of the contract
    contract_version: str
    contract_digest: str  # SHA-256 of the contract's text
    title: str
    dataset: str  # "dedup/624b4d8bff559148"
    rows: int
    passed: bool
    results: tuple[RuleResult, ...]
    polars_seconds: float = 0.0
    expectations_seconds: float = 0.0
    engines: dict[str, str] = Field(default_factory=dict)  # versions: polars, great_expectations

    @property
    def failures(self) -> tuple[RuleResult, ...]:
        """Results that stop the gate."""
        return tuple(r for r in self.results if r.blocks)

    @property
    def warnings(self) -> tuple[RuleResult, ...]:
        """Results that are wrong but do not stop the gate."""
        return tuple(r for r in self.results if not r.passed and not r.blocks)

    def markdown(self) -> str:
        """A short report: one table of rules, then the samples of those that failed."""
        head = "合格 passed" if self.passed else "不合格 FAILED"
        lines = [
            f"# {self.title}: {head}",
            "",
            f"`{self.dataset}` · {self.rows:,} 行 rows · 契约 contract `{self.contract}@{self.contract_version}`",
            "",
            "| 规则 rule | 要求 asked | 实测 found | 结果 result |",
            "|---|---|---|---|",
        ]
        lines += [f"| {_cell(r.title)} `{r.rule}` | {r.asked} | {shown(r)} | {_mark(r)} |" for r in self.results]
        for result in self.results:
            if not result.passed and result.samples:
                lines += ["", f"## {result.rule}", ""]
                lines += [
                    "- " + " · ".join(filter(None, (f"`{s.id}`", _cell(s.value), _cell(s.excerpt))))
                    for s in result.samples
                ]
        return "\n".join(lines) + "\n"


def shown(result: RuleResult) -> str:
    """The measured number for people: `12 行 rows`, `1.25 %`, `0.61`."""
    if result.found is None:
        return "无 none"
    exact = result.found == int(result.found) or abs(result.found) >= 1000
    number = f"{result.found:,.0f}" if exact else f"{result.found:.4g}"
    return {"rows": f"{number} 行 rows", "percent": f"{number} %"}.get(result.unit, f"{number} {result.unit}".strip())


def _mark(result: RuleResult) -> str:
    if result.passed:
        return "✓"
    return "**✗**" if result.blocks else "⚠ 警告 warning"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
