"""学习率测试 on the terminal: `ziliu find-lr CONFIG`. Needs no Prefect server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_contracts.config import PretrainingConfig
from data_contracts.config_file import load
from deployments.display import screen
from deployments.outcome import explained
from deployments.wording import both
from tasks import progress
from tasks.find_rate import find_rate
from tasks.store import find_input


def find_lr(path: Path, overrides: Sequence[str], steps: int) -> int:
    """Test learning rates on the newest blocks of a config; returns the exit code."""
    with explained() as outcome:
        cfg = load(path, overrides)
        part = cfg.part(PretrainingConfig)
        place = part.place
        blocks = [find_input(name, "blocks", place) for name in (part.blocks, *part.pretrain.other_blocks)]
        with screen.status(both("逐步提高学习率", "raising the learning rate step by step")) as status:
            stop = progress.listen(lambda step: status.update(f"{step.done:.0f}/{step.total:.0f} {step.note}"))
            try:
                found = find_rate(blocks, part.pretrain, place, steps)
            finally:
                stop()
        told = found.figures
        if told["suggested"] is None:
            screen.print(both("损失没有下降: 没有建议", "the loss never fell: nothing to suggest"))
        else:
            screen.print(f"{both('建议', 'suggested')}: pretrain.optimizer.learning_rate={told['suggested']:.2g}")
            screen.print(f"{both('最高可试', 'highest worth a try')}: {told['highest']:.2g}")
        screen.print(f"{both('现在的配置', 'configured')}: {told['configured']:.2g}")
        screen.print(f"{both('图', 'picture')}: {found.picture}", soft_wrap=True)
    return outcome.code
