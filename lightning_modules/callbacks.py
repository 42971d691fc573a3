"""回调 callbacks: the record of a run (CSV, JSON lines, TensorBoard) and samples at each validation."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from data_contracts.errors import NonFiniteLoss
from lightning_modules.curves import Curves
from lightning_modules.events import emit
from lightning_modules.machine_plan import PLAN
from lightning_modules.metrics import METRICS, SPEED, VALIDATION, VALIDATION_SETS, StepTable
from lightning_modules.precision import matmul_flops_per_second
from lightning_modules.sampling import TextSampler
from lightning_modules.signals import STOP
from lightning_modules.strategies import summed, together

REPORT_SECONDS = 0.5


class TrainingRecord(Callback):
    """Every step's figures to metrics.csv; at most two reports a second to standard output and TensorBoard.

    Each step's sums are reduced over the ranks in one small collective, which also agrees on a request to stop. On
    a GPU a step's figures are read one step late, so that reading never waits for the device.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.metrics = StepTable(self.folder / "metrics.csv", METRICS)
        self.validation = StepTable(self.folder / "validation.csv", VALIDATION)
        self.sets = StepTable(self.folder / "validation_sets.csv", VALIDATION_SETS)
        self.speed = StepTable(self.folder / "speed.csv", SPEED)
        self.train_seconds = 0.0  # of all runs that led here; validation and checkpoints left out
        self._pending: deque[tuple[int, torch.Tensor]] = deque()
        self._seen_step = 0
        self._curves: Curves | None = None
        self._per_second = 0.0  # tokens, at the last report

    def state_dict(self) -> dict[str, Any]:
        """Seconds of training so far."""
        return {"train_seconds": self.train_seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue counting."""
        self.train_seconds = float(state_dict["train_seconds"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Cut the tables to the resumed step, measure the peak on all ranks at once, start the clock."""
        step = self._seen_step = trainer.global_step
        trainer.strategy.barrier("peak")
        half = pl_module.sharded_bf16 or "bf16" in str(trainer.precision)
        peak = matmul_flops_per_second(pl_module.device, torch.bfloat16 if half else torch.float32)
        if pl_module.device.type == "cuda":
            torch.cuda.empty_cache()  # the matrices of the measurement are larger than many a model
            torch.cuda.reset_peak_memory_stats()
        self._peak = float(summed(torch.tensor(peak, dtype=torch.float64, device=pl_module.device)))
        self._token_flops = pl_module.cost.flops_per_token
        self._tokens_before = trainer.datamodule.pace.tokens_before
        if trainer.is_global_zero:
            named = [self.sets] if len(pl_module.held_out_sets) > 1 else []
            for table in (self.metrics, self.validation, self.speed, *named):
                table.resume_at(step)
            self._curves = Curves(self.folder, step)
            emit(
                "train_start",
                step=step,
                max_steps=pl_module.max_steps,
                parameters=pl_module.cost.parameters,
                devices=trainer.world_size,
                device=pl_module.device.type,
                precision="bf16" if half else "32",
                threads=torch.get_num_threads(),
                peak_gflops_per_second=self._peak / 1e9,
                flops_per_token=self._token_flops,
                memory=json.loads((self.folder / PLAN).read_text(encoding="utf-8"))["memory"],
            )
        self._start_clock(step)

    def _start_clock(self, step: int) -> None:
        self._clock, self._clock_step = time.perf_counter(), step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """At the end of each optimizer step: reduce, read, refuse what is not finite, report."""
        step = trainer.global_step
        if step == self._seen_step:
            return
        self._seen_step = step
        norm = torch.as_tensor(pl_module.gradient_norm, dtype=torch.float64, device=pl_module.device).reshape(1)
        flag = torch.tensor([float(bool(STOP.received))], dtype=torch.float64, device=pl_module.device)
        sums = summed(torch.cat([pl_module.take_step_sums(), flag, norm / trainer.world_size]))
        self._pending.append((step, sums))
        last = step >= pl_module.max_steps
        lag = 1 if pl_module.device.type == "cuda" and not last else 0
        while len(self._pending) > lag:
            self._read(trainer, pl_module)
        if last:
            trainer.should_stop = True  # makes Lightning validate after the last step, wherever it falls

    def _read(self, trainer: pl.Trainer, module: Any) -> None:
        step, sums = self._pending.popleft()
        nats, tokens, flags, norm = sums.tolist()
        STOP.agree(flags)
        loss = nats / max(1.0, tokens)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._close()
            raise NonFiniteLoss(
                f"step {step}: loss {loss}, gradient norm {norm}; the checkpoints before it are untouched. Lower "
                "pretrain.optimizer.learning_rate, raise warmup_ratio, or look at the data of that step",
                step,
            )
        if not trainer.is_global_zero:
            return
        rate = module.learning_rate_at(step - 1)
        bits = module.bits_per_char(loss)
        self.metrics.add(step, loss, bits, rate, norm, int(tokens))
        elapsed = time.perf_counter() - self._clock
        if elapsed >= REPORT_SECONDS or step >= module.max_steps:
            self._report(step, module.max_steps, {"loss": loss, "bits_per_char": bits, "learning_rate": rate}, elapsed)

    def _report(self, step: int, max_steps: int, figures: dict[str, Any], elapsed: float) -> None:
        per_second = (self._tokens_before(step) - self._tokens_before(self._clock_step)) / max(elapsed, 1e-9)
        if elapsed < REPORT_SECONDS and self._per_second:
            per_second = self._per_second  # the last steps of a GPU are read at once: no time lies between them
        self._per_second = per_second
        share = per_second * self._token_flops / self._peak
        self.train_seconds += elapsed
        self.speed.add(step, per_second, share)
        self.metrics.flush()
        self.speed.flush()
        figures = {**figures, "tokens_per_second": per_second, "peak_share": share}
        emit("progress", done=step, total=max_steps, unit="steps", step=step, max_steps=max_steps, **figures)
        for name, value in figures.items():
            if value is not None and self._curves is not None:
                self._curves.add(f"train/{name}", value, step)
        self._start_clock(step)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Read what waits (refusing what is not finite), and put the tables on disk before the checkpoint."""
        while self._pending:
            self._read(trainer, pl_module)
        if trainer.is_global_zero:
            self.metrics.flush(durably=True)
            self.speed.flush(durably=True)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Stop the clock of training."""
        self._validation_clock = time.perf_counter()
        if trainer.is_global_zero:
            emit("phase", name="validation", step=trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write the split's figures; restart the clock of training."""
        step = trainer.global_step
        if trainer.is_global_zero:
            seconds = time.perf_counter() - self._validation_clock
            found = pl_module.held_out
            self.validation.add(step, found["loss"], found.get("bits_per_char"), int(found["tokens"]))
            by_set = pl_module.held_out_by_set if len(pl_module.held_out_sets) > 1 else {}
            for name, one in by_set.items():
                self.sets.add(step, name, one["loss"], one.get("bits_per_char"), int(one["tokens"]))
            if by_set:
                self.sets.flush(durably=True)
            self.validation.flush(durably=True)
            emit("validation", step=step, seconds=seconds, **found, **({"sets": by_set} if by_set else {}))
            for name in ("loss", "bits_per_char"):
                if name in found and self._curves is not None:
                    self._curves.add(f"validation/{name}", found[name], step)
        if hasattr(self, "_clock"):  # not when only validating
            pause = time.perf_counter() - self._validation_clock
            self._clock += pause

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Close the files."""
        self._close(finished=True)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Close the files; what is in them is true up to here."""
        self._close()

    def _close(self, finished: bool = False) -> None:
        if self._curves is not None:
            self.metrics.flush(durably=True)
            self._curves.close(finished)
            self._curves = None


class ValidationSamples(Callback):
    """After each validation, continue the prompts and append them to samples.jsonl."""

    def __init__(self, folder: str, tokenizer: str, prompts: list[str], seed: int, new_tokens: int = 48) -> None:
        self.path, self.prompts, self.seed, self.new_tokens = Path(folder) / "samples.jsonl", prompts, seed, new_tokens
        self.tokenizer = tokenizer

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Drop samples after the resumed step."""
        if trainer.is_global_zero and self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= trainer.global_step]
            self.path.write_text("".join(kept), encoding="utf-8")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Generate on rank 0, or on all ranks when each holds only a part of the weights."""
        if not (trainer.is_global_zero or together(trainer)):
            return
        sampler = TextSampler(pl_module.network, self.tokenizer, pl_module.separator_id)
        for i, prompt in enumerate(self.prompts):
            text = sampler.continue_text(prompt, self.new_tokens, temperature=0.8, top_p=0.95, seed=self.seed + i)
            if trainer.is_global_zero:
                sample = {"step": trainer.global_step, "prompt": prompt, "text": text}
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(sample, ensure_ascii=False) + "\n")
                emit("sample", **sample)
