"""Laws of store and stages for any damage, any config and any order: one key, one cache, only faults that pass are retried."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import errors
from data_contracts.config import Place
from data_contracts.dataset import Dataset
from tasks.store import Store
from tests.tasks import toy_stage as toy

SHARDS = ("a", "b", "c", "d")
DAMAGE = ("flip", "cut", "delete", "record", "torn record")


def made(place: Place, least: toy.Least, invented: toy.Invented) -> tuple[Dataset, bool]:
    given_rows, _ = toy.source.run(invented, place)
    return toy.least.run(given_rows, least, place)


def harm(store: Store, dataset: Dataset, shard: int, how: str, at: float) -> None:
    """Damage one file of a shard, or the record of the job that made it."""
    if "record" in how:
        record = sorted((store.root / "shards" / dataset.stage).iterdir())[shard]
        record.unlink() if how == "record" else record.write_bytes(record.read_bytes()[: int(at * 200)])
        return
    file = sorted(store.manifest(dataset).shards[shard].files.items())[int(at * 2.99)][1]
    path = store.path(file)
    if not path.exists():
        return
    content = path.read_bytes()
    path.chmod(0o644)
    place = int(at * (len(content) - 1))
    if how == "delete":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:place])
    else:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


@settings(max_examples=8)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(DAMAGE), st.floats(0, 0.999)), min_size=1, max_size=5, unique=True
    )
)
def test_whatever_is_damaged_the_same_bytes_come_back(hurts: list[tuple[int, str, float]]):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(store=folder, workers=1)
        dataset, _ = made(place, toy.Least(), toy.Invented(shards=SHARDS))
        store = Store(folder)
        whole = {f.sha256: store.path(f).read_bytes() for s in store.manifest(dataset).shards for f in s.files.values()}
        for shard, how, at in hurts:
            if "record" not in how or len(list((store.root / "shards" / "least").iterdir())) > shard:
                harm(store, dataset, shard, how, at)
        again, _ = made(place, toy.Least(), toy.Invented(shards=SHARDS))
        fresh = Store(folder)
        assert again == dataset
        assert fresh.faults(fresh.manifest(again)) == []
        shards = fresh.manifest(again).shards
        assert {f.sha256: fresh.path(f).read_bytes() for s in shards for f in s.files.values()} == whole


configs = st.builds(toy.Least, min_chars=st.integers(2, 12))
inputs = st.builds(
    toy.Invented, shards=st.lists(st.sampled_from(SHARDS), min_size=1, unique=True).map(tuple), rows=st.integers(14, 17)
)


@settings(max_examples=8)
@given(configs, inputs, configs, inputs)
def test_a_version_is_a_function_of_config_and_input_and_of_nothing_else(
    one: toy.Least, from_one: toy.Invented, other: toy.Least, from_other: toy.Invented
):
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        first, _ = made(Place(store=here, workers=1, name="here"), one, from_one)
        second, found = made(Place(store=there, workers=1, name="there"), other, from_other)
        assert not found
        assert (first.version == second.version) == ((one, from_one) == (other, from_other))
        again, found = made(Place(store=there, workers=1), one, from_one)
        assert again == first
        assert found == (first.version == second.version)


@settings(max_examples=8)
@given(st.permutations(SHARDS), configs)
def test_the_order_of_shards_moves_rows_and_changes_none(order: list[str], cfg: toy.Least):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(store=folder, workers=1)
        straight, _ = made(place, cfg, toy.Invented(shards=SHARDS))
        before = len(list(Path(folder, "shards", "least").iterdir()))
        moved, _ = made(place, cfg, toy.Invented(shards=tuple(order)))
        store = Store(folder)
        assert len(list(Path(folder, "shards", "least").iterdir())) == before, "a shard was computed again"
        rows = [store.scan(d).collect().sort("doc_id") for d in (straight, moved)]
        assert rows[0].equals(rows[1])
        assert (straight.rows, straight.quarantined) == (moved.rows, moved.quarantined)


class Failed:
    """A state as Prefect's retry condition gets it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def result(self, raise_on_failure: bool = True) -> Any:
        return self.error


PASSING = {"WorkerLost", "ProgramFailed", "CrawlFailed", "TrainingError", "ConnectionResetError", "TimeoutError"}
EVERY = [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, errors.ZiliuError)]


@pytest.mark.parametrize("kind", [*EVERY, ConnectionResetError, TimeoutError, ValueError, KeyError, MemoryError])
def test_only_faults_that_can_pass_are_retried(kind: type[Exception]):
    task = toy.least._task
    assert task.retries == 2
    assert task.retry_condition_fn(task, None, Failed(kind("x"))) == (kind.__name__ in PASSING)
