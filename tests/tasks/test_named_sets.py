"""Several BLOCKS datasets in one run: they fit together or are refused, and each is validated on by its name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT, Dataset, Manifest
from data_contracts.errors import ConfigError, DatasetMissing
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from tasks.encode import encode
from tasks.named_sets import check_alike, held_out
from tasks.pretrain import pretrain
from tasks.run_folder import block_files
from tasks.segment import segment
from tasks.store import Store, find_input, publish
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented

ENCODE = EncodeConfig(block_tokens=16, validation_ratio=0.2, test_ratio=0.1)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def segmented(place: Place, *sources: tuple[str, int]) -> Dataset:
    store = Store(place.store).open()
    frames = [documents(invented(count), source=name) for name, count in sources]
    return segment.run(deposit(store, frames), SegmentConfig(), place)[0]


def made(place: Place, text: Dataset, tokenizer: Dataset, cfg: EncodeConfig = ENCODE) -> Manifest:
    return Store(place.store).manifest(encode.run(text, tokenizer, cfg, MixtureConfig(), place)[0])


def trained(place: Place, text: Dataset, size: int = 400) -> Dataset:
    return vocab.run(text, VocabConfig(size=size), ENCODE.splits, place)[0]


def test_every_source_and_every_other_dataset_is_a_set(place, tmp_path):
    store, text = Store(place.store), segmented(place, ("law", 60), ("poem", 40))
    own = made(place, text, trained(place, text))
    other = block_files(store, made(place, segmented(place, ("news", 50)), store.manifest(own.parents[1]).handle))
    found = held_out(store, own, block_files(store, own), {"general": other}, tmp_path / "sets")
    assert [(s.name, s.main) for s in found.sets] == [("law", True), ("poem", True), ("general", False)]
    table = pl.concat([pl.read_parquet(store.path(s.files[KEPT])) for s in own.shards])
    held = table.filter(pl.col("split") == "validation")
    assert [s.chars for s in found.sets[:2]] == [held.filter(source=n)["chars"].sum() for n in ("law", "poem")]
    assert found.sets[2].chars == sum(f.validation.chars for f in other if f.validation)
    assert found.main_chars() == sum(s.measures["validation_chars"] for s in own.shards)
    starts = np.concatenate([np.load(f.groups)[0] for f in found.files[:-1]])
    assert sorted(starts.tolist()) == sorted(held["start"].to_list())
    sets = np.concatenate([np.load(f.groups)[1] for f in found.files])
    assert np.bincount(sets).tolist() == [held.filter(source=n).height for n in ("law", "poem")] + [1]


def test_blocks_that_do_not_fit_together_are_refused_with_both_names(place):
    store, text = Store(place.store), segmented(place, ("law", 60))
    tokenizer = trained(place, text)
    own, longer = (
        made(place, text, tokenizer),
        made(place, text, tokenizer, ENCODE.model_copy(update={"block_tokens": 32})),
    )
    other = made(place, text, trained(place, text, size=350))
    check_alike(store, own, [own])
    with pytest.raises(
        ConfigError, match=rf"encode/{own.version} of 16 tokens and encode/{longer.version} of 32 tokens"
    ):
        check_alike(store, own, [longer])
    with pytest.raises(ConfigError, match=rf"{own.version} by vocab/\w+ and encode/{other.version} by vocab/\w+"):
        check_alike(store, own, [other])


def test_a_set_without_a_validation_split_is_refused(place, tmp_path):
    store, text = Store(place.store), segmented(place, ("law", 60))
    own = made(place, text, trained(place, text))
    files = [f.model_copy(update={"validation": None}) for f in block_files(store, own)]
    with pytest.raises(ConfigError, match="news is to be validated on and its blocks have no validation split"):
        held_out(store, own, block_files(store, own), {"news": files}, tmp_path)


def test_blocks_are_found_by_the_name_of_their_channel(place):
    text = segmented(place, ("law", 60))
    blocks = made(place, text, trained(place, text)).handle
    publish(blocks, "blocks", Place(name="general", store=place.store))
    assert find_input("blocks/general", "blocks", place) == blocks
    with pytest.raises(DatasetMissing):
        find_input("blocks/other", "blocks", place)
    tokenizer = Store(place.store).manifest(blocks).parents[1]
    assert find_input(tokenizer, "tokenizer", place).name == tokenizer
    with pytest.raises(ConfigError, match=rf"is {blocks.name}, and vocab makes what is wanted here: tokenizer"):
        find_input(blocks.name, "tokenizer", place)


@pytest.mark.slow
def test_a_model_of_two_datasets_names_both_in_lineage_and_card(place):
    store, text = Store(place.store), segmented(place, ("trade", 200))
    tokenizer = trained(place, text)
    own, other = made(place, text, tokenizer), made(place, segmented(place, ("general", 150)), tokenizer)
    publish(other.handle, "blocks", Place(name="general", store=place.store))
    cfg = PretrainConfig(
        model={"layers": 1, "heads": 1, "width": 16},
        mixed_in=({"blocks": "blocks/general", "share": 0.25},),
        duration="8 steps",
        tokens_per_step=256,
        blocks_per_device=8,
        steps_between_validations=4,
        prompts=(),
    )
    model, _ = pretrain.run([own.handle, other.handle], cfg, place)
    manifest = store.manifest(model)
    assert manifest.parents == [f"encode/{own.version}", f"encode/{other.version}"]
    told = {one["name"]: one for one in manifest.measures["data"]}
    assert told["blocks/general"]["tokens"] == 8 * 256 // 4
    assert told[f"encode/{own.version}"]["share"] == 0.75
    card = store.path(manifest.shards[0].files["README.md"]).read_text(encoding="utf-8")
    assert "blocks/general: 25.0%, 512 词元 tokens" in card
    assert "general" in card
    assert f"encode/{other.version}" in card
    run = store.run_folder(manifest.measures["run"])
    names = [line.split(",")[1] for line in (run / "validation_sets.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert names == ["trade", "blocks/general"] * 2
