"""阶段装饰器 the stage decorator: key, lock, cache state, retries. The only home of Prefect's task settings.

    @stage(schema=DOCUMENT, libraries=("polars",))
    def clean(documents: Inputs, cfg: CleanConfig, work: Work) -> list[Shard]:
        return work.each_shard(mark, documents, cfg)

A flow calls `clean(documents, cfg.clean, place)`: the last argument says where, the body gets a `Work` in its stead.

    version = hash(stage, code fingerprint, libraries, schema, config, parents' versions)

is the manifest's name, what Prefect shows as Cached, and the lineage id. The store is the only cache: Prefect's own
result cache trusts its record even when the file is gone, and its file locks outlive `kill -9`.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

from data_contracts.config import Place
from data_contracts.dataset import Dataset, Manifest, Shard, digest_of
from data_contracts.errors import NothingLeft, ZiliuError
from data_contracts.model import Model
from data_contracts.reasons import sentence
from data_contracts.schemas import Schema
from tasks import artifacts, journal, progress
from tasks.executors import executor
from tasks.fingerprint import code_fingerprint, library_versions
from tasks.store import Store, now
from tasks.work import Output, Work

Body = Callable[..., list[Shard] | Output]
RETRIES = 2  # of faults that can pass; a contract, config or data error is never retried


class Stage:
    """A stage as flows call it (a Prefect task) and as tests and tools call it (`run`, without Prefect)."""

    def __init__(self, body: Body, schema: Schema | str, libraries: Sequence[str], programs: Sequence[str]) -> None:
        self.__doc__ = body.__doc__
        self.__module__ = body.__module__
        self.name = body.__name__
        self.title = (inspect.getdoc(body) or self.name).splitlines()[0].split(":")[0]
        self.body, self.schema = body, schema
        self._libraries, self._programs = tuple(libraries), tuple(programs)

    def __call__(self, *arguments: Any) -> Dataset:
        """Run as a task of the current Prefect flow run; its state is named Cached when nothing had to be done."""
        from prefect.client.schemas.objects import State

        made = self._task(*arguments)
        dataset: Dataset = made.result() if isinstance(made, State) else made  # a state that we named comes back whole
        return dataset

    def run(self, *arguments: Any) -> tuple[Dataset, bool]:
        """Find or make the dataset; returns its handle and whether it was found."""
        *given, place = arguments
        if not isinstance(place, Place):
            raise TypeError(f"{self.name}: the last argument says where to run (a Place), got {type(place).__name__}")
        store = Store(place.store).open()
        values, outside = self.look(given)
        parents = [d for v in values for d in _datasets(v)]
        key = self.key(values)
        version = digest_of([key, [d.name for d in parents], outside])[:16]
        with store.folder.lock(f"{self.name}-{version}"):
            manifest, found = store.find(self.name, version), True
            if manifest is None or store.faults(manifest):
                manifest, found = self.make(store, values, parents, key, version, place.workers), False
        journal.note(self.name, self.title, manifest, found)
        return manifest.handle, found

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """The body's arguments, and what stands beside parents in the version: what lies outside the store."""
        return values, None

    def key(self, values: Sequence[Any]) -> str:
        """Hash of everything but the parents that the output depends on."""
        libraries = library_versions(self._libraries)
        return digest_of([self.name, self.code, libraries, _shape(self.schema), _configs(values)])

    @property
    def made_by(self) -> dict[str, Any]:
        """Code and libraries of the stage, as in a Manifest."""
        return {"code": self.code, "libraries": library_versions(self._libraries)}

    @functools.cached_property
    def code(self) -> str:
        """Fingerprint of the stage's code; computed once a process."""
        return code_fingerprint(self.body.__module__, self._programs)

    def make(
        self,
        store: Store,
        values: Sequence[Any],
        parents: list[Dataset],
        key: str,
        version: str | Callable[[list[Shard]], str],
        workers: int = 1,
    ) -> Manifest:
        """Run the body and publish what it made. A stage that observes has its version from the shards."""
        start = time.monotonic()
        progress.report(progress.Step(self.name, 0, 0))
        where = version if isinstance(version, str) else ""
        with store.folder.scratch() as scratch:
            code = digest_of([self.name, self.code, library_versions(self._libraries)])
            work = Work(self.name, key, where, self.schema, store, executor(workers), scratch, code)
            made = self.body(*values, work)
        output = made if isinstance(made, Output) else Output(made)
        manifest = Manifest(
            stage=self.name,
            version=version if isinstance(version, str) else version(output.shards),
            schema_label=self.schema if isinstance(self.schema, str) else self.schema.label,
            parents=[d.name for d in parents],
            config={k: v for cfg in _configs(values) for k, v in cfg.items()},
            **self.made_by,
            shards=output.shards,
            measures=output.measures,
            created_at=now(),
            seconds=time.monotonic() - start,
            cpu_seconds=sum(work.spent),
        )
        if isinstance(self.schema, Schema):
            _refuse_nothing(manifest)
        progress.report(progress.Step(self.name, 1, 1, finished=True))
        known = store.find(self.name, manifest.version)
        if known and not store.faults(known):
            return known  # only where a stage observes: it saw the same again, and the first sight stands
        store.commit(manifest)
        return manifest

    @functools.cached_property
    def _task(self) -> Any:
        """The Prefect task. Prefect is imported here, so that worker processes never load it."""
        from prefect import get_run_logger, task
        from prefect.cache_policies import NO_CACHE
        from prefect.states import Completed

        def run(*arguments: Any) -> Any:
            with artifacts.shown(self.name, self.title):
                dataset, found = self.run(*arguments)
            told = "%s: %d 行保留 rows kept, %d 隔离 quarantined, %s"
            get_run_logger().info(
                told, dataset.name, dataset.rows, dataset.quarantined, "缓存 cached" if found else "新做 made"
            )
            if found:
                return Completed(name="Cached", message=f"{dataset.name} verified", data=dataset)
            return dataset

        def can_pass(task: Any, task_run: Any, state: Any) -> bool:
            error = state.result(raise_on_failure=False)
            return (
                error.transient if isinstance(error, ZiliuError) else isinstance(error, ConnectionError | TimeoutError)
            )

        run.__name__, run.__doc__ = self.name, inspect.getdoc(self.body)
        # Prefect binds and shows arguments by the body's own names, with `place` for `work`.
        parameters = [p.replace(annotation=Any) for p in inspect.signature(self.body).parameters.values()]
        run.__signature__ = inspect.Signature([*parameters[:-1], parameters[-1].replace(name="place")])  # type: ignore[attr-defined]
        make = task(
            name=self.title,
            task_run_name=self.name,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=RETRIES,
            retry_delay_seconds=[2, 10],
            retry_condition_fn=can_pass,
        )
        return make(run)


def stage(
    *, schema: Schema | str, libraries: Sequence[str] = (), programs: Sequence[str] = ()
) -> Callable[[Body], Stage]:
    """Make a stage of a body. `libraries` and `programs` are what else its output depends on."""
    return lambda body: Stage(body, schema, libraries, programs)


def _datasets(value: Any) -> list[Dataset]:
    if isinstance(value, Dataset):
        return [value]
    if isinstance(value, list | tuple):
        return [d for v in value for d in _datasets(v)]
    return []


def _configs(values: Sequence[Any]) -> list[dict[str, Any]]:
    """JSON form of every argument that is a config (or plain value), in order; datasets are parents instead."""
    found: list[dict[str, Any]] = []
    for value in values:
        if isinstance(value, Model) and not isinstance(value, Dataset):
            found.append({type(value).__name__: value.model_dump(mode="json")})
        elif isinstance(value, list | tuple):
            found.extend(_configs(value))
        elif not isinstance(value, Dataset):
            found.append({"value": value})
    return found


def _shape(schema: Schema | str) -> Any:
    return schema if isinstance(schema, str) else [schema.label, {k: str(v) for k, v in schema.columns.items()}]


def _refuse_nothing(manifest: Manifest) -> None:
    if manifest.total("rows_kept"):
        return
    most = next(iter(manifest.reasons.items()), None)
    took = f"{most[1]} of {manifest.total('rows_in')} as {most[0]}: {sentence(most[0])}" if most else "it got no rows"
    raise NothingLeft(f"no document is left after stage {manifest.stage}; {took}. Loosen its config or add a source")
