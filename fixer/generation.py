"""Answers from a model, many at once: plain greedy decoding or sampling, sped up by drafts from the source.

The rows of a batch stand at different places, so the cache is ragged: token number n of a row, prompt included, always
lies in slot n of its row, and a query sees the slots up to its own. Nothing is padded on the left and nothing cropped:
what a refused draft left behind is overwritten before it can be seen.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from degraders.errors import UserError
from fixer.drafting import Drafter

SHORTEST_REPEAT = 32
"""Tokens that a stretch of repeats must cover before it counts as running away."""
REPEATS = 3
LONGEST_PERIOD = 128


class GenerationRequest(NamedTuple):
    """Token ids to continue; `source` are those of the text that the answer mostly copies, `limit` its most tokens;
    `seed` parts samples of the same prompt."""

    prompt: list[int]
    source: list[int]
    limit: int
    seed: int = 0


class GeneratedAnswer(NamedTuple):
    """An answer, its length in tokens (the end token included), why it ends (`end`, `length` or `repeat`), and its
    token ids."""

    text: str
    tokens: int
    end: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: the likeliest at temperature 0, else drawn from the likeliest `top_p` of probability.

    `keep_bias` is added to the logit of the token with which an answer that follows its source goes on following it:
    only what is that much surer (in nats) is changed. GECToR's confidence bias (Omelianchuk et al. 2020), for a model
    that writes tokens.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 42
    keep_bias: float = 0.0


class RaggedCache(Cache):
    """Keys and values of each layer (rows, heads, slots, width), written at any slot of any row.

    Before each forward pass, `rows` names the rows of the batch, `slots` (rows, tokens) where its tokens go, and
    `width` how many slots attention reads.
    """

    def __init__(self, rows: int, capacity: int) -> None:
        super().__init__(layers=[])
        self._shape = rows, capacity
        self._stored: list[tuple[Tensor, Tensor]] = []
        self.rows = self.slots = torch.empty(0, dtype=torch.long)
        self.width = 0

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        if layer_idx == len(self._stored):
            self._stored.append((self._empty(keys), self._empty(values)))
        stored = self._stored[layer_idx]
        for store, new in zip(stored, (keys, values), strict=True):
            store[self.rows[:, None], :, self.slots] = new.transpose(1, 2)
        first, count = int(self.rows[0]), len(self.rows)
        read = [store[first : first + count, :, : self.width] for store in stored]
        return read[0], read[1]

    def _empty(self, like: Tensor) -> Tensor:
        """Zeros, not rubbish: a hidden slot has weight 0, and 0 x NaN is NaN."""
        rows, capacity = self._shape
        return like.new_zeros((rows, like.shape[1], capacity, like.shape[3]))

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0

    def move(self, source: int, target: int) -> None:
        """Copy a row over another."""
        for stored in self._stored:
            for store in stored:
                store[target] = store[source]


@dataclass
class _Row:
    """An answer in the making; `cached` counts the tokens in the cache, all but the last that is known."""

    index: int
    request: GenerationRequest
    drafter: Drafter
    draws: list[float]
    cached: int
    tokens: list[int] = field(default_factory=list)
    end: str = ""

    @property
    def pending(self) -> int:
        return self.tokens[-1] if self.tokens else self.request.prompt[-1]


class Generator:
    """Continues prompts with a causal language model, `batch` rows at once; `stop` are the tokens that end an answer.

    `drafts` is the most tokens that a row guesses ahead (0: plain decoding, one token a forward pass).
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        stop: Sequence[int],
        batch: int = 8,
        drafts: int = 16,
        sampling: Sampling | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._batch = batch
        self._drafts = drafts
        self._sampling = sampling or Sampling()
        self._masks = _Masks(model.config.get_text_config())
        self._device: torch.device = model.get_input_embeddings().weight.device

    def __call__(
        self, requests: Sequence[GenerationRequest], ranks: Sequence[int] = ()
    ) -> Iterator[tuple[int, GeneratedAnswer]]:
        """Each request's index and answer as it is done; the longest first, so that rows side by side are of a length.

        `ranks`, one a request, say which go before others however long these are.
        """
        sizes = [len(request.prompt) + request.limit for request in requests]
        order = sorted(range(len(requests)), key=lambda index: (ranks[index] if ranks else 0, -sizes[index], index))
        queue = deque(order)
        if not queue:
            return
        training = self._model.training
        self._model.eval()
        try:
            cache = RaggedCache(self._batch, max(sizes) + self._drafts + 1)
            rows: list[_Row] = []
            while queue or rows:
                self._fill(rows, queue, requests, cache)
                self._advance(rows, cache)
                for place in reversed(range(len(rows))):
                    if rows[place].end:
                        yield rows[place].index, self._generated(rows[place])
                        _remove(rows, place, cache)
        finally:
            self._model.train(training)

    def _fill(
        self, rows: list[_Row], queue: deque[int], requests: Sequence[GenerationRequest], cache: RaggedCache
    ) -> None:
        """Take up new requests once enough rows are free: few rows a forward pass would waste most of its cost."""
        free = self._batch - len(rows)
        if not queue or (rows and free < max(1, self._batch // 4)):
            return
        new = [self._row(index, requests[index]) for index in (queue.popleft() for _ in range(min(free, len(queue))))]
        self._prefill(new, len(rows), cache)
        rows += new

    def _row(self, index: int, request: GenerationRequest) -> _Row:
        texts = self._tokenizer.convert_ids_to_tokens(request.source)
        drafter = Drafter(request.source, texts, self._stop[0])
        return _Row(index, request, drafter, self._draws(request), len(request.prompt) - 1)

    def _draws(self, request: GenerationRequest) -> list[float]:
        """A number in [0, 1) for each token of the answer, keyed by seed and prompt: the batch has no part in it."""
        if not self._sampling.temperature:
            return []
        key = hashlib.blake2b(repr((self._sampling.seed, request.seed, request.prompt)).encode(), digest_size=7)
        random = torch.Generator().manual_seed(int.from_bytes(key.digest(), "big"))
        draws: list[float] = torch.rand(request.limit, generator=random, dtype=torch.float64).tolist()
        return draws

    @torch.no_grad()
    def _prefill(self, rows: Sequence[_Row], first: int, cache: RaggedCache) -> None:
        """Cache all of the prompts but their last tokens; no logits, for the first step makes them."""
        width = max(row.cached for row in rows)
        if not width:
            return
        ids = torch.tensor([[*row.request.prompt[: row.cached], *[0] * (width - row.cached)] for row in rows])
        slots = torch.arange(width).expand(len(rows), width)
        self._place(cache, first, slots, width)
        self._base().base_model(**self._inputs(ids, slots, slots[:1], width), past_key_values=cache, use_cache=True)

    @torch.no_grad()
    def _advance(self, rows: Sequence[_Row], cache: RaggedCache) -> None:
        """One forward pass over each row's last token and its draft; keep what the model confirms, and one more."""
        drafts = [self._draft(row) for row in rows]
        width = 1 + max(map(len, drafts))
        ids = torch.tensor(
            [[row.pending, *d, *[0] * (width - 1 - len(d))] for row, d in zip(rows, drafts, strict=True)]
        )
        cached = torch.tensor([row.cached for row in rows])[:, None]
        slots = cached + torch.arange(width)
        # Padding behind a draft repeats the last true position: models with learned positions have no more of them.
        positions = torch.minimum(slots, cached + torch.tensor([len(draft) for draft in drafts])[:, None])
        reach = int(slots.max()) + 1
        self._place(cache, 0, slots, reach)
        inputs = self._inputs(ids, positions, slots, reach)
        logits = self._base()(**inputs, past_key_values=cache, use_cache=True).logits
        self._favour_source(logits, rows, drafts)
        for row, draft, chosen in zip(rows, drafts, self._choose(logits, rows), strict=True):
            self._accept(row, draft, chosen)

    def _draft(self, row: _Row) -> list[int]:
        return row.drafter.guess(min(self._drafts, row.request.limit - len(row.tokens) - 1))

    def _base(self) -> Any:
        """The model itself; an adapter's layers stand inside it."""
        unwrap = getattr(self._model, "get_base_model", None)
        return unwrap() if unwrap else self._model

    def _place(self, cache: RaggedCache, first: int, slots: Tensor, width: int) -> None:
        cache.rows = torch.arange(first, first + len(slots), device=self._device)
        cache.slots = slots.to(self._device)
        cache.width = width

    def _inputs(self, ids: Tensor, positions: Tensor, slots: Tensor, width: int) -> dict[str, Any]:
        return {
            "input_ids": ids.to(self._device),
            "position_ids": positions.to(self._device),
            "attention_mask": self._masks(slots.to(self._device), width, self._model.dtype),
        }

    def _favour_source(self, logits: Tensor, rows: Sequence[_Row], drafts: Sequence[Sequence[int]]) -> None:
        """Add the bias, in place, at each position of a draft and behind it, where the answer follows its source."""
        if not self._sampling.keep_bias:
            return
        for of_row, row, draft in zip(logits, rows, drafts, strict=True):
            for place, token in row.drafter.follows(len(draft)):
                of_row[place, token] += self._sampling.keep_bias

    def _choose(self, logits: Tensor, rows: Sequence[_Row]) -> list[list[int]]:
        """The model's token at each position (rows, tokens)."""
        chosen: list[list[int]]
        if not self._sampling.temperature:
            chosen = logits.argmax(-1).tolist()
            return chosen
        return [
            [_drawn(at, draw, self._sampling) for at, draw in zip(of_row, row.draws[len(row.tokens) :], strict=False)]
            for of_row, row in zip(logits, rows, strict=True)
        ]

    def _accept(self, row: _Row, draft: Sequence[int], chosen: Sequence[int]) -> None:
        """Append the model's tokens up to and with the first that the draft had wrong, or to the end of the answer."""
        for place, token in enumerate(chosen[: len(draft) + 1]):
            row.tokens.append(token)
            row.cached += 1
            row.end = self._ended(row)
            if row.end:
                return
            # Models are often rounded up to more tokens than their tokenizers know.
            row.drafter.saw(token, self._tokenizer.convert_ids_to_tokens(token) or "")
            if place < len(draft) and draft[place] != token:
                return

    def _ended(self, row: _Row) -> str:
        if row.tokens[-1] in self._stop:
            return "end"
        if runs_away(row.tokens, row.request.source):
            return "repeat"
        return "length" if len(row.tokens) >= row.request.limit else ""

    def _generated(self, row: _Row) -> GeneratedAnswer:
        tokens = row.tokens[:-1] if row.end == "end" else row.tokens
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return GeneratedAnswer(str(text), len(row.tokens), row.end, tuple(row.tokens))


class _Masks:
    """Additive attention masks (rows, 1, tokens, slots) for the kinds of layer that a model has."""

    def __init__(self, config: Any) -> None:
        kinds = set(getattr(config, "layer_types", None) or ())
        if unknown := kinds - {"full_attention", "sliding_attention"}:
            names = ", ".join(sorted(unknown))
            raise UserError(
                f"{config.model_type}: layers of the kind {names} cannot generate in batches; use another base model"
            )
        self._kinds = kinds
        window = getattr(config, "sliding_window", None)
        self._window: int | None = window if "sliding_attention" in kinds or not kinds else None

    def __call__(self, slots: Tensor, width: int, dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
        """`slots` (rows, tokens) are those of the queries; `width` is the number of slots that they may see."""
        keys = torch.arange(width, device=slots.device)
        seen = keys <= slots[:, :, None]
        near = seen & (keys > slots[:, :, None] - self._window) if self._window else seen
        if len(self._kinds) < 2:
            return _additive(near, dtype)
        return {"full_attention": _additive(seen, dtype), "sliding_attention": _additive(near, dtype)}


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    hidden = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
    return hidden[:, None]


def _remove(rows: list[_Row], place: int, cache: RaggedCache) -> None:
    """Take a finished row out; the last one moves into its place, so that the rows in use stay side by side."""
    last = rows.pop()
    if place < len(rows):
        cache.move(len(rows), place)
        rows[place] = last


def _drawn(logits: Tensor, draw: float, sampling: Sampling) -> int:
    """The token whose stretch of the cumulated probability (likeliest first, up to `top_p`) holds `draw`."""
    likely, tokens = (logits.double() / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
    cumulated = likely.cumsum(-1)
    kept = int((cumulated - likely < sampling.top_p).sum())
    at = int(torch.searchsorted(cumulated[:kept], draw * cumulated[kept - 1], right=True))
    return int(tokens[min(at, kept - 1)])


def runs_away(tokens: Sequence[int], source: Sequence[int]) -> bool:
    """Whether the answer ends in a stretch that repeats itself and that the source does not account for.

    A stretch is `REPEATS` or more times the same tokens, `SHORTEST_REPEAT` tokens or more in sum. Tables and lists
    repeat themselves too: it counts only if the source has not half as many of the repeats in a row.
    """
    for period in range(1, min(LONGEST_PERIOD, len(tokens) // REPEATS) + 1):
        if tokens[-1] != tokens[-1 - period] or tokens[-period:] != tokens[-2 * period : -period]:
            continue
        times = _times(tokens, period)
        if times >= REPEATS and times * period >= SHORTEST_REPEAT:
            return not _stands(list(tokens[-period:]) * -(-times // 2), source)
    return False


def _times(tokens: Sequence[int], period: int) -> int:
    """How often the last `period` tokens stand in a row at the end."""
    unit, times = tokens[-period:], 1
    while tokens[-(times + 1) * period : -times * period] == unit:
        times += 1
    return times


def _stands(wanted: Sequence[int], source: Sequence[int]) -> bool:
    size = len(wanted)
    return any(list(source[at : at + size]) == wanted for at in range(len(source) - size + 1))
