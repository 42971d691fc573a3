"""采样 sampling: text from a causal language model, with a key-value cache, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import DynamicCache, PreTrainedModel


def next_token(logits: torch.Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """Draw one id from (V,) logits among the most likely tokens whose probabilities first sum to `top_p`.

    Drawn on the CPU in float64, so that the same logits give the same text on every device.
    """
    chances = torch.softmax(logits.double().cpu() / temperature, dim=-1)
    ordered, ids = chances.sort(descending=True, stable=True)
    kept = ordered.cumsum(0) - ordered < top_p
    drawn = torch.multinomial(ordered * kept, 1, generator=generator)
    return int(ids[drawn])


@torch.no_grad()
def generate(
    network: PreTrainedModel,
    prompt: list[int],
    new_tokens: int,
    *,
    temperature: float,
    top_p: float,
    seed: int,
    stop_id: int,
) -> list[int]:
    """Up to `new_tokens` ids that continue the prompt's ids; ends before `stop_id`.

    The prompt is read once; each further step feeds one token and the cache, so n tokens cost O(n) forward positions.
    """
    generator = torch.Generator().manual_seed(seed)
    device = next(network.parameters()).device
    cache = DynamicCache(config=network.config)
    fed = torch.tensor([prompt], device=device)  # (1, P), then (1, 1)
    made: list[int] = []
    was_training = network.training
    network.eval()
    while len(made) < new_tokens:
        with torch.compiler.set_stance("force_eager"):  # a growing cache would be compiled anew at every length
            logits = network(input_ids=fed, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[0, -1]
        token = next_token(logits, temperature, top_p, generator)
        if token == stop_id:
            break
        made.append(token)
        fed = torch.tensor([[token]], device=device)
    network.train(was_training)
    return made


class TextSampler:
    """Prompts in, texts out, for one network and its tokenizer."""

    def __init__(self, network: PreTrainedModel, tokenizer_dir: str | Path, separator_id: int) -> None:
        self.network, self.separator_id = network, separator_id
        self.tokenizer = Tokenizer.from_file(str(Path(tokenizer_dir) / "tokenizer.json"))

    def continue_text(self, prompt: str, new_tokens: int, *, temperature: float, top_p: float, seed: int) -> str:
        """The prompt and what the model writes after it, as the beginning of a document."""
        ids = [self.separator_id, *self.tokenizer.encode(prompt, add_special_tokens=False).ids]
        made = generate(
            self.network, ids, new_tokens, temperature=temperature, top_p=top_p, seed=seed, stop_id=self.separator_id
        )
        return prompt + str(self.tokenizer.decode(made))
