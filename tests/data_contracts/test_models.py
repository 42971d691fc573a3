"""Config values, handles and manifests, schemas, reasons, units, errors: what every room relies on."""

from __future__ import annotations

import inspect
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts import errors
from data_contracts.dataset import Dataset, File, Manifest, Shard, digest_of, document_id
from data_contracts.errors import SchemaMismatch, ZiliuError
from data_contracts.model import Model
from data_contracts.reasons import REASONS, sentence
from data_contracts.schemas import DOCUMENT, PAGE, SCHEMAS, SEGMENTED, VISIT, check
from data_contracts.stages import CleanConfig
from data_contracts.units import Bytes, Duration, human


class Sized(Model):
    size: Bytes = 1


# model


def test_models_are_frozen_and_refuse_what_they_do_not_know():
    cfg = CleanConfig()
    with pytest.raises(ValidationError, match="frozen"):
        cfg.min_chars = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="min_char"):
        CleanConfig.model_validate({"min_char": 3})


# units


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("2M tokens", 2e6, "tokens"),
        ("500 steps", 500, "steps"),
        ("1 epoch", 1, "epochs"),
        ("1.5B tokens", 1.5e9, "tokens"),
        (" 20 minutes ", 20, "minutes"),
    ],
)
def test_durations_are_read_with_their_unit(text: str, amount: float, unit: str):
    assert Duration.parse(text) == Duration(amount=amount, unit=unit)


@pytest.mark.parametrize("text", ["2000", "2M", "tokens", "-1 steps", "1 day", "0 steps", None, 5])
def test_a_duration_without_amount_or_unit_is_refused(text: object):
    with pytest.raises(ValueError, match=r"duration|greater than 0"):
        Duration.parse(text)


@given(st.floats(1e-3, 1e12), st.sampled_from(["tokens", "steps", "epochs", "minutes"]))
def test_a_duration_reads_back_what_it_writes(amount: float, unit: str):
    amount = float(f"{amount:.6f}")
    given_ = Duration(amount=amount, unit=unit)
    if "e" not in str(given_).split()[0]:
        assert Duration.parse(str(given_)).amount == pytest.approx(amount)


@pytest.mark.parametrize(("text", "size"), [("5 MB", 5_000_000), ("2 GiB", 2 * 2**30), ("1.5 KB", 1500), (7, 7)])
def test_sizes_are_read_with_their_unit(text: object, size: int):
    assert Sized(size=text).size == size


@pytest.mark.parametrize("text", ["5", "5 M", "-1 MB", "MB", 0])
def test_a_size_without_a_unit_is_refused(text: object):
    with pytest.raises(ValidationError):
        Sized(size=text)


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (1234567, "1.23M"), (2e9, "2B"), (-1500, "-1.5K")]
)
def test_numbers_for_people(number: float, shown: str):
    assert human(number) == shown


# dataset


def test_the_digest_of_a_value_does_not_depend_on_order_or_model():
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of(CleanConfig()) == digest_of(CleanConfig().model_dump(mode="json"))
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    with pytest.raises(TypeError, match="no canonical JSON"):
        digest_of({"a": object()})


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_document_ids_are_16_hex_digits_and_differ_by_source_and_record(source: str, record: str, other: str):
    assert re.fullmatch("[0-9a-f]{16}", document_id(source, record))
    assert document_id(source, record) == document_id(source, record)
    if record != other:
        assert document_id(source, record) != document_id(source, other)


def test_a_manifest_adds_its_shards_up():
    file = File(sha256="0" * 64, bytes=3)
    shards = [
        Shard(content="a", files={"kept.parquet": file}, rows_in=5, rows_kept=3, reasons={"too_short": 2}, chars=9),
        Shard(content="b", files={}, rows_in=4, rows_kept=1, reasons={"too_long": 2, "too_short": 1}, chars=2),
    ]
    manifest = Manifest(
        stage="clean",
        version="f" * 16,
        schema_label="DOCUMENT@2",
        parents=[],
        config={},
        code="",
        libraries={},
        shards=shards,
    )
    assert manifest.reasons == {"too_short": 3, "too_long": 2}
    assert list(manifest.reasons) == ["too_short", "too_long"]
    assert manifest.handle == Dataset(
        stage="clean", version="f" * 16, schema_label="DOCUMENT@2", rows=4, quarantined=5, chars=11
    )
    assert manifest.handle.name == f"clean/{'f' * 16}"
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


# schemas


def test_schemas_have_labels_identities_and_ids():
    for name, schema in SCHEMAS.items():
        assert schema.label == f"{name}@{schema.version}"
        assert next(iter(schema.columns)) == "doc_id"
        assert set(schema.lineage) <= set(schema.columns)
    assert PAGE.identity == [c for c in PAGE.columns if c not in ("fetched_at", "archive", "offset")]
    assert "depth" not in VISIT.identity
    assert list(SEGMENTED.columns)[:-1] == list(DOCUMENT.columns)


def test_a_frame_that_is_not_its_schema_is_named():
    check(dict(DOCUMENT.columns), DOCUMENT, "here")
    check({**DOCUMENT.columns, "more": pl.Int8()}, DOCUMENT, "extra columns are measurements")
    with pytest.raises(
        SchemaMismatch, match=r"here: not a DOCUMENT@2: title: want String, have nothing; text: want String, have Int64"
    ):
        check({c: t for c, t in DOCUMENT.columns.items() if c != "title"} | {"text": pl.Int64()}, DOCUMENT, "here")


# reasons


def test_every_reason_has_a_name_and_two_sentences():
    for name, reason in REASONS.items():
        assert re.fullmatch("[a-z]+(_[a-z]+)*", name)
        assert re.search("[\u4e00-\u9fff]", reason.zh)
        assert re.search("[a-z]{3}", reason.en)
        assert not re.search("[\u4e00-\u9fff]", reason.en)
    assert sentence("too_short") == "正文过短 (too few characters)"
    assert sentence("too_short", "en") == "too few characters"
    with pytest.raises(KeyError):
        sentence("length_filter")


# errors


def test_every_error_is_in_the_tree_with_its_exit_code_and_in_the_drawing():
    found = [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, Exception)]
    assert all(issubclass(e, ZiliuError) for e in found)
    drawn = dict(re.findall(r"(\w+)\s+(?:exit code )?(\d)", errors.__doc__ or ""))
    assert {e.__name__: str(e.exit_code) for e in found} == {e.__name__: drawn.get(e.__name__) for e in found}
    assert {e.__name__ for e in found if e.transient} <= {"ProgramFailed", "CrawlFailed", "TrainingError", "WorkerLost"}
