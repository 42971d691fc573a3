"""掩码语言模型 masked language model: hidden words are guessed from all of their document. The module and its data."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

from data_contracts.network import MaskingConfig, Objective
from lightning_modules.block_files import IGNORED, Batch, BlockSource, positions_in_documents
from lightning_modules.language_model import LanguageModel
from lightning_modules.token_blocks import TokenBlocks
from lightning_modules.word_masks import WordMasker


def document_masks(positions: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor | dict[str, torch.Tensor]:
    """Who sees whom, (B, 1, T, T) bool, from (B, T) positions that restart with each document.

    transformers tells packed documents apart by their positions for causal models only; for others a mask of four
    dimensions is taken as it is. A model whose layers differ wants one for each kind of layer.
    """
    document = (positions == 0).cumsum(1)  # (B, T)
    together = (document[:, None, :, None] == document[:, None, None, :]).contiguous()  # (B, 1, T, T)
    kinds = set(getattr(config, "layer_types", None) or ())
    if "sliding_attention" not in kinds:
        return together
    place = torch.arange(positions.shape[1], device=positions.device)
    near = (place[:, None] - place[None, :]).abs() <= int(config.sliding_window)  # (T, T)
    return {"full_attention": together, "sliding_attention": together & near}


PORTIONS = 16  # of a micro-batch: with 15 % hidden, and some spread, a compiled network meets two or three sizes


class AskedOnly:
    """Makes the last layer of a network score only the positions that are asked about, while there are any.

    Of a position that hides nothing the scores are never read, and the last layer, width x vocabulary for each, is most
    of the work of a small model. A hook, because shards and compilation are of the network as a whole, and because
    every masked network of transformers ends in such a layer, whatever stands before it.
    """

    def __init__(self) -> None:
        self.positions: torch.Tensor | None = None  # (N,) of the B*T; None: all
        self._head: torch.nn.Module | None = None

    def watch(self, network: PreTrainedModel) -> None:
        """Hook the last layer of a network; once."""
        head = network.get_output_embeddings()
        if head is not self._head:
            head.register_forward_pre_hook(self._select)
            self._head = head

    def _select(self, head: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        """(B, T, d) -> (N, d)."""
        if self.positions is None:
            return None
        return (inputs[0].flatten(0, 1).index_select(0, self.positions),)


class MaskedLanguageModel(LanguageModel):
    """LightningModule of a masked language model."""

    objective: ClassVar[Objective] = "masked"

    def __init__(self, mask_ratio: float, **shared: Any) -> None:
        """Everything that a LanguageModel takes.

        Args:
            mask_ratio: share of the tokens that are to be guessed; the loss of a step is divided by so many.
        """
        super().__init__(**shared)
        self.target_ratio = mask_ratio
        self._asked = AskedOnly()

    def logits(self, batch: Batch) -> torch.Tensor:
        """(B, T, V) scores of the token that stands at each position."""
        mask = document_masks(batch["positions"], self.network.config)
        made = self.network(input_ids=batch["inputs"], position_ids=batch["positions"], attention_mask=mask)
        logits: torch.Tensor = made.logits
        return logits

    def places(self, targets: torch.Tensor) -> torch.Tensor:
        """(N,) of (B*T,) positions that are asked for."""
        return (targets != IGNORED).nonzero()[:, 0]

    def predicted(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | slice]:
        """Of the hidden positions alone."""
        targets = batch["targets"].flatten()  # (B*T,)
        where = self.places(targets)  # (N,)
        self._asked.watch(self.network)
        # A network is compiled anew for every number of positions, so that number is rounded up and the rest cut off.
        spare = -len(where) % max(1, len(targets) // PORTIONS) if self.wants_compile else 0
        self._asked.positions = functional.pad(where, (0, spare))
        try:
            return self.logits(batch).float()[: len(where)], targets[where], where
        finally:
            self._asked.positions = None


class MaskedTokenBlocks(TokenBlocks):
    """LightningDataModule that masks whole words; which, is decided by the seed and the number of the sample alone."""

    def __init__(self, mask_id: int, special_ids: list[int], masking: dict[str, Any], **shared: Any) -> None:
        """Everything that TokenBlocks takes.

        Args:
            mask_id: the id that hides a token.
            special_ids: ids that are no text.
            masking: a MaskingConfig as plain values.
        """
        super().__init__(**shared)
        self.masking = masking
        self.masker = WordMasker(MaskingConfig(**masking), shared["vocab_size"], mask_id, tuple(special_ids))

    def batch(self, source: BlockSource, numbers: NDArray[np.int64], samples: NDArray[np.int64], seed: int) -> Batch:
        """A micro-batch of the numbered blocks; a block is its first T tokens, for nothing is shifted."""
        tokens, begins = source.gather(numbers)[:, :-1], source.gather_words(numbers)[:, :-1]  # (B, T) each
        inputs, targets = self.masker(tokens, begins, samples, seed)
        positions = positions_in_documents(tokens, self.separator_id)
        return {n: torch.from_numpy(a) for n, a in (("inputs", inputs), ("targets", targets), ("positions", positions))}

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "masking": self.masking}
