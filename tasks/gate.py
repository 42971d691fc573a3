"""质量门 gate: any dataset -> verdict. The stage that stops a road before bad data is trained on.

    gate(corpus, asked(cfg.gate, "corpus"), place)

Rows that are bad alone were quarantined long before; here the dataset as a whole is held against its contract.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, Literal

import polars as pl

from data_contracts.block_sets import SPLITS
from data_contracts.contract import Contract, load, locate
from data_contracts.dataset import KEPT, Dataset, File, Manifest, Shard, digest_of
from data_contracts.errors import ContractError, GateFailed
from data_contracts.judge import judge
from data_contracts.measuring import sums
from data_contracts.stages import ContractConfig, GateConfig
from data_contracts.verdict import Verdict, shown
from tasks import journal
from tasks.lineage import ancestors
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms.domain_checks import CHECKS
from tasks.work import Output, Work

VERDICT = "verdict.json"
log = logging.getLogger("ziliu")


def asked(cfg: GateConfig, kind: Literal["corpus", "blocks"]) -> ContractConfig:
    """The contract that a config asks of a kind of dataset; ContractError when it is wrong, before anything runs."""
    name: str = getattr(cfg, kind)
    load(name, CHECKS)
    return ContractConfig(contract=name, digest=locate(name).digest, on_failure=cfg.on_failure)


@stage(schema="verdict", libraries=("great_expectations", "open-data-contract-standard", "polars"))
def gate(dataset: Dataset, cfg: ContractConfig, work: Work) -> Output:
    """质量门 gate: any dataset -> verdict. Raises GateFailed (exit code 3) when the dataset breaks its contract.

    A verdict that passes is a dataset of the store and is found there next time. One that fails is written into the
    folder of the run (`verdict-<contract>.json` and `.md`) before the error is raised; with `on_failure: warn` it is
    stored like one that passes, and a warning is logged.
    """
    contract = _read(cfg)
    manifest = work.store.manifest(dataset)
    parts = [s.files[KEPT] for s in manifest.shards if s.rows_kept]
    measured = [made[0] for made in work.each(measure_shard, [(part.sha256, (part, cfg)) for part in parts])]
    frame, found = work.store.scan(dataset), [m.measures for m in measured]
    verdict = judge(frame, contract, dataset.name, measures_of(work.store, manifest), found)
    verdict = verdict.model_copy(update={"polars_seconds": verdict.polars_seconds + sum(m.seconds for m in measured)})
    place = _write(work.store, verdict)
    if not verdict.passed:
        told = explain(verdict, f"{contract.path}", place)
        if cfg.on_failure == "block":
            raise GateFailed(told)
        log.warning(told)
    content = verdict.model_dump_json(indent=1).encode()
    facts = digest_of(verdict.model_dump(mode="json", exclude={"polars_seconds", "expectations_seconds"}))
    shard = Shard(
        content=facts, files={VERDICT: work.store.put_bytes(content)}, rows_in=verdict.rows, rows_kept=verdict.rows
    )
    return Output([shard], {"passed": verdict.passed, "contract": f"{contract.name}@{contract.version}"})


def measure_shard(room: Room, part: File, cfg: ContractConfig) -> list[Shard]:
    """What one shard adds to the numbers of the rules."""
    return [Shard(content=part.sha256, files={}, measures=sums(pl.scan_parquet(room.store.path(part)), _compiled(cfg)))]


def _read(cfg: ContractConfig) -> Contract:
    """The contract, which must be as it was when the config was read."""
    contract = load(cfg.contract, CHECKS)
    if contract.digest != cfg.digest:
        raise ContractError(f"{contract.path} was edited while the run was going on; run again")
    return contract


_compiled = lru_cache(maxsize=2)(_read)  # in a process, for all of its jobs


def read_verdict(store: Store, dataset: Dataset | str) -> Verdict:
    """The verdict that a gate's handle names."""
    (shard,) = store.manifest(dataset).shards
    return Verdict.model_validate_json(store.path(shard.files[VERDICT]).read_bytes())


def measures_of(store: Store, manifest: Manifest) -> dict[str, float]:
    """Every number that a contract may ask for with `measure`.

    Those of the dataset by their own names (`padding_ratio`), and those of its stage and of every stage behind it with
    the stage's name in front (`clean.quarantined_ratio`); datasets of one stage are added up before ratios are taken.
    """
    found = {"": [manifest]}
    for one in [manifest, *ancestors(store, manifest)]:
        found.setdefault(f"{one.stage}.", []).append(one)
    return {prefix + name: value for prefix, group in found.items() for name, value in _numbers(group).items()}


def _numbers(group: list[Manifest]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for one in group:
        for shard in one.shards:
            for name, value in shard.measures.items():
                numbers[name] = numbers.get(name, 0.0) + value
        if len(group) == 1:  # a fact of one dataset cannot be added to that of another
            numbers |= _flat(one.measures)
    rows_in = sum(one.total("rows_in") for one in group)
    quarantined = sum(one.total("rows_quarantined") for one in group)
    numbers |= _padding(numbers)
    return numbers | {
        "rows_in": float(rows_in),
        "rows": float(sum(one.total("rows_kept") for one in group)),
        "quarantined": float(quarantined),
        "quarantined_ratio": quarantined / rows_in if rows_in else 0.0,
    }


def _padding(numbers: dict[str, float]) -> dict[str, float]:
    """`train_padding_ratio` and its like: padding among all ids of a split's token files."""
    ratios: dict[str, float] = {}
    for split in SPLITS:
        parts = [numbers.get(f"{split}_{name}", 0.0) for name in ("tokens", "separators", "padding")]
        if sum(parts):
            ratios[f"{split}_padding_ratio"] = parts[-1] / sum(parts)
    return ratios


def _flat(measures: dict[str, Any], prefix: str = "") -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in measures.items():
        if isinstance(value, dict):
            numbers |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            numbers[prefix + name] = float(value)
    return numbers


def explain(verdict: Verdict, contract: str, written: str) -> str:
    """What failed, where, and what to do: every broken rule with its rows and up to five of them."""
    lines = [
        f"质量门不合格 gate failed: {verdict.dataset} ({verdict.rows:,} rows) breaks contract "
        f"{verdict.contract}@{verdict.contract_version} in {len(verdict.failures)} rules"
    ]
    for result in verdict.failures:
        lines.append(f"  {result.rule}: {shown(result)}, 要求 asked {result.asked} · {result.title}")
        lines += ["    " + " · ".join(filter(None, (s.id, s.value, s.excerpt))) for s in result.samples]
    lines.append(
        f"  裁决 verdict: {written}. Mend the data or its stages, or change {contract}; `on_failure: warn` goes on"
    )
    return "\n".join(lines)


def _write(store: Store, verdict: Verdict) -> str:
    """Write a verdict as JSON and Markdown into the folder of the run; returns where."""
    run = journal.current()
    name = f"runs/{run.run}/verdict-{verdict.contract}" if run else f"verdicts/{verdict.contract}"
    store.folder.replace(f"{name}.json", verdict.model_dump_json(indent=1).encode())
    store.folder.replace(f"{name}.md", verdict.markdown().encode())
    return str(store.folder.path(f"{name}.md"))
