"""去重 dedup: DOCUMENT -> DOCUMENT. Of every group of copies one stays; each row that goes names it.

    meet      a part of the URLs  of several sources' documents of one URL one stays; the rest follow it
    sign      a shard             digests, MinHash signatures, band keys, which document of a text is best
    link      a part of the bands edges between texts that share a band and resemble each other
    contract  a part of the edges drawn to one middle a cluster, until they are stars
    group     a part of the texts those that have a copy, under the name of their cluster
    choose    a part of the clusters one document stays, by the keep rule
    recur     a part of the paragraphs, only on request: those that stand in more documents than allowed
    mark      a shard             its rows, split into kept and quarantined

Every step is a job of the executor and cached. A new shard costs its own signatures, the steps between, which read 552
bytes a text instead of the text, and the marking of those shards in which its copies lie.

Quarantined rows carry `duplicate_of` (the doc_id that stays) and `similarity` (1.0 for exact copies, else the share of
equal signature slots, which is below `min_similarity` where a third copy links the two). Document ids are taken to be
unique; the result depends on the set of documents only, not on shards, their order, or the number of jobs.

Memory: 0 bytes a document. A job holds one shard or one part (tables.PART_ROWS rows), and this process a few kilobytes
a shard. What can grow is what must be seen at once: 300 bytes for each different text of the largest cluster, and as
many for each that shares one band key.
"""

from __future__ import annotations

from data_contracts.dataset import KEPT
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import DedupConfig
from tasks.copies import keeping, linking, meeting, repeating
from tasks.copies.marking import mark_shard
from tasks.copies.signing import sign_shard
from tasks.copies.tables import own_rows
from tasks.stage import stage
from tasks.work import Inputs, Output, Work


@stage(schema=DOCUMENT, libraries=("numpy", "opencc", "polars", "rensa"))
def dedup(documents: Inputs, cfg: DedupConfig, work: Work) -> Output:
    """去重 dedup: DOCUMENT -> DOCUMENT. One URL, equal texts, near copies by MinHash: one of each group stays."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    if not shards:
        return Output([])
    signed = [made[0] for made in work.each(sign_shard, [(s.content, (s.files[KEPT], cfg)) for s in shards])]
    signed = meeting.met(work, shards, signed, cfg)
    every = linking.lists(work, signed)
    removals, similar = keeping.removals(work, signed, every, linking.edges(work, signed, every, cfg), cfg)
    gone = [own_rows(work, removals, number) for number in range(len(shards))]
    repeats = repeating.repeats(work, shards, signed, gone, cfg)
    marked = [
        (f"{shard.content}\0{lost and lost.sha256}\0{cut and cut.sha256}", (shard.files[KEPT], own, lost, cut, cfg))
        for shard, own, lost, cut in zip(shards, signed, gone, repeats, strict=True)
    ]
    return Output([made[0] for made in work.each(mark_shard, marked)], measures={"near_duplicate_similarity": similar})
