"""因果语言模型 causal language model: every token is predicted from those before it in its document."""

from __future__ import annotations

from typing import ClassVar

import torch

from data_contracts.network import Objective
from lightning_modules.block_files import Batch
from lightning_modules.language_model import LanguageModel


class CausalLanguageModel(LanguageModel):
    """LightningModule of a causal language model."""

    objective: ClassVar[Objective] = "causal"

    def logits(self, batch: Batch) -> torch.Tensor:
        """(B, T, V) scores of the next token; with positions and no mask transformers keeps the documents apart."""
        made = self.network(input_ids=batch["inputs"], position_ids=batch["positions"], use_cache=False)
        logits: torch.Tensor = made.logits
        return logits
