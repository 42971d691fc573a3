"""Great Expectations decides: one row of measured numbers against a suite that is compiled from the rules.

Importing great_expectations costs 2 to 20 s, so it happens inside functions only. The context is ephemeral, sends no
analytics and draws no progress bars.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from data_contracts.rules import Rule


class _Later(ModuleType):
    """A module that is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _statistics_later() -> Iterator[None]:
    """scipy.stats is a fifth of the import, and 50 MB, for expectations about distributions, which no rule becomes."""
    import scipy

    later = _Later("scipy.stats")
    if "scipy.stats" not in sys.modules:
        vars(scipy)["stats"] = later
    try:
        yield
    finally:
        if vars(scipy).get("stats") is later:
            del vars(scipy)["stats"]


def great_expectations() -> Any:
    """The module, imported quietly and without analytics."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings(), _statistics_later():
        # great_expectations 1.24 imports two modules that Python 3.11 calls deprecated.
        warnings.filterwarnings("ignore", "module 'sre_(constants|parse|compile)' is deprecated", DeprecationWarning)
        import great_expectations as gx
    return gx


def suite(name: str, rules: Sequence[Rule]) -> Any:
    """The ExpectationSuite of a contract: every number is there, and inside its bounds."""
    gx = great_expectations()
    expectations = []
    for rule in rules:
        severity = {"error": "critical"}.get(rule.severity, rule.severity)
        said: dict[str, Any] = {"column": rule.name, "notes": rule.title, "severity": severity}
        # A bound alone would pass a null.
        expectations.append(gx.expectations.ExpectColumnValuesToNotBeNull(**said))
        bounds = rule.bounds
        if bounds.operator == "mustNotBe":
            expectations.append(gx.expectations.ExpectColumnValuesToNotBeInSet(value_set=[bounds.low], **said))
            continue
        strict = {"strict_min": bounds.strict, "strict_max": bounds.strict}
        low = None if bounds.low == float("-inf") else bounds.low
        high = None if bounds.high == float("inf") else bounds.high
        expectations.append(
            gx.expectations.ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **strict, **said)
        )
    return gx.ExpectationSuite(name, expectations=expectations)


def decide(name: str, rules: Sequence[Rule], found: Mapping[str, float | None]) -> dict[str, bool]:
    """Whether each rule holds, by name, as Great Expectations says."""
    import pandas as pd

    gx = great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    row = pd.DataFrame([{rule.name: found[rule.name] for rule in rules}]).astype("float64")
    asset = context.data_sources.add_pandas("measured").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("row").get_batch(batch_parameters={"dataframe": row})
    result = batch.validate(suite(name, rules), result_format="BOOLEAN_ONLY")
    passed = {rule.name: True for rule in rules}
    for one in result.results:
        column = one.expectation_config.kwargs["column"]
        passed[column] = passed[column] and bool(one.success)
    return passed
