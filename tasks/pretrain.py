"""预训练 pretrain: BLOCKS -> model. Starts the training program and publishes the model it exports.

Training is a program of its own: Lightning's launcher starts the current script once per device, which inside a task
would be the flow itself. Its run lives in STORE/runs/train-<version>/, so a retry, and the next start after `kill -9`,
goes on from its newest checkpoint; a finished one is found by its version.
"""

from __future__ import annotations

import contextlib
import functools
import json

from data_contracts.dataset import Shard, digest_of
from data_contracts.errors import StoreError
from data_contracts.training import PretrainConfig
from tasks import checkpoints
from tasks.executors import close_pools
from tasks.model_folder import Continued, training
from tasks.planned import draw_schedule
from tasks.run_folder import prepared
from tasks.skipped import name_documents
from tasks.trainer import train
from tasks.work import Inputs, Output, Work


@training
def pretrain(blocks: Inputs, cfg: PretrainConfig | Continued, work: Work) -> Output:
    """预训练 pretrain: BLOCKS -> model. A Hugging Face folder with its model card.

    After the run's own blocks come those that cfg.other_blocks names, in that order: mixed in, or only validated on.
    The dataset's one shard holds the folder's files under their own names; `measures` holds the run's name and the
    final figures. Raises what tasks/trainer.py raises.
    """
    run, asked = f"train-{work.version}", {type(cfg).__name__: cfg.model_dump(mode="json")}
    folder = work.store.run_folder(run)
    made = prepared(work.store, folder, blocks, cfg)
    draw_schedule(made.cfg.optimizer, made.settings(made.cfg)["trainer"]["max_steps"], folder)
    close_pools()  # their memory and cores belong to the trainer now
    told = {"parents": [m.handle.name for m in made.blocks], "config": asked, **pretrain.made_by}
    publish = functools.partial(checkpoints.publish, work.store, folder, f"pretrain/{work.version}")
    try:
        train(made.cfg, made.settings, folder)
    except BaseException:
        with contextlib.suppress(StoreError, OSError):  # what went wrong first is what is told
            publish(made.settings(made.cfg), told)
        raise
    finally:
        skipped = name_documents(work.store, made.blocks, folder)
    files = {p.name: work.store.keep_file(p) for p in sorted((folder / "export").iterdir()) if p.is_file()}
    figures = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    content = digest_of({name: file.sha256 for name, file in files.items()})
    figures |= {"skipped_steps": skipped} if skipped else {}
    figures |= {"checkpoints": publish(made.settings(made.cfg), told)}
    return Output([Shard(content=content, files=files)], {"run": run, **figures})
