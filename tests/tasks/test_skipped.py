"""Blocks that the trainer names -> the documents in them, also where the mixture repeats documents."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer

from data_contracts.config import Place
from data_contracts.dataset import KEPT
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from tasks.encode import encode
from tasks.segment import segment
from tasks.skipped import BLOCKS_FILE, DOCUMENTS_FILE, in_order, name_documents
from tasks.store import Store
from tasks.vocab import TOKENIZER, vocab
from tests.given_documents import deposit, documents, invented

SIZE = 16


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Blocks of two sources in two shards, one of which stands in them three times."""
    place = Place(store=str(tmp_path_factory.mktemp("skipped") / "store"), workers=1)
    store = Store(place.store).open()
    frames = [documents(invented(60), source="law"), documents(invented(30), source="poem")]
    text, _ = segment.run(deposit(store, frames), SegmentConfig(), place)
    cfg = EncodeConfig(block_tokens=SIZE, validation_ratio=0.1, test_ratio=0.1)
    tokenizer, _ = vocab.run(text, VocabConfig(size=400), cfg.splits, place)
    mixed = MixtureConfig(weights={"law": 1, "poem": 2}, max_epochs=3)
    blocks, _ = encode.run(text, tokenizer, cfg, mixed, place)
    return store, store.manifest(blocks), store.manifest(tokenizer), store.manifest(text)


def stream(store, shard):
    return np.fromfile(store.path(shard.files["train.bin"]), dtype="<u2")


def test_documents_stand_in_the_stream_where_their_order_says(made):
    store, blocks, tokenizer, text = made
    encoder = Tokenizer.from_file(str(store.path(tokenizer.shards[0].files[TOKENIZER])))
    texts = dict(store.scan(text.handle, KEPT).select("doc_id", "text").collect().iter_rows())
    copies = 0
    for shard in blocks.shards:
        ids = stream(store, shard)
        order = in_order(pl.read_parquet(store.path(shard.files[KEPT])))
        for doc_id, start, tokens in order.select("doc_id", "start", "tokens").iter_rows():
            assert ids[start] == blocks.measures["separator_id"]
            assert ids[start + 1 : start + tokens].tolist() == encoder.encode(texts[doc_id]).ids
        copies += order.height - order["doc_id"].n_unique()
    assert copies > 20, "some documents are there more than once"


def test_the_documents_of_skipped_blocks_are_named_with_source_and_url(made, tmp_path):
    store, blocks, _, _ = made
    asked = [(shard, n) for shard in blocks.shards for n in (0, 3, (len(stream(store, shard)) - 1) // SIZE - 1)]
    rows = [
        {"step": 7 + i, "loss": 9.0, "blocks": [[str(store.path(s.files["train.bin"])), n]]}
        for i, (s, n) in enumerate(asked)
    ]
    (tmp_path / BLOCKS_FILE).write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    assert name_documents(store, [blocks], tmp_path) == len(asked)
    found = pl.read_csv(tmp_path / DOCUMENTS_FILE)
    assert found["url"].str.starts_with("file:").all()
    for i, (shard, n) in enumerate(asked):
        expected = set()  # slowly: of whom is each place of the block, inputs and targets
        for doc_id, start, tokens in (
            in_order(pl.read_parquet(store.path(shard.files[KEPT]))).select("doc_id", "start", "tokens").iter_rows()
        ):
            if start <= (n + 1) * SIZE and start + tokens > n * SIZE:
                expected.add(doc_id)
        mine = found.filter(step=7 + i)
        assert set(mine["doc_id"]) == expected
        assert mine["source"].n_unique() == 1


def test_nothing_skipped_gives_no_file(made, tmp_path):
    assert name_documents(made[0], [made[1]], tmp_path) == 0
    assert not (tmp_path / DOCUMENTS_FILE).exists()
