"""Batched generation: greedy decoding or sampling, accelerated by drafts that are copied from the source.

The rows of a batch have different lengths, so the cache is ragged: token number n of a row, prompt included, is always
in slot n of its row, and a query attends to the slots up to its own. Nothing is padded on the left and nothing is
cropped: the slots of a rejected draft are overwritten before any query can attend to them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from degraders.draw import ticket
from degraders.errors import UserError
from fixer.drafting import Drafter
from fixer.loading import unwrap_base

MIN_REPEATED = 32
"""Tokens that repetitions must cover together before the answer counts as running away."""
MIN_REPEATS = 3
MAX_PERIOD = 128
"""Tokens of the longest unit whose repetition is detected."""


class GenerationRequest(NamedTuple):
    """A prompt to continue, as token ids.

    `source` are the token ids of the text that the answer mostly copies, `limit` is the most tokens of the answer;
    `seed` distinguishes samples of the same prompt.
    """

    prompt: list[int]
    source: list[int]
    limit: int
    seed: int = 0


class GeneratedAnswer(NamedTuple):
    """An answer, its length in tokens (with the end token), the reason why it ends (`end`, `length` or `repeat`), and
    its token ids."""

    text: str
    tokens: int
    end: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen: the most likely one at temperature 0; above 0, a sample from the most likely ones, whose
    probabilities add up to `top_p`.

    `keep_bias` (nats) is added to the logit of the token that continues the source: a change is made only if its
    log-probability exceeds that of the source's token by this margin. It is GECToR's confidence bias (Omelianchuk et
    al. 2020) for a model that writes tokens.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 42
    keep_bias: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}, not a number of at least 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}, not a share of more than 0 and at most 1")
        if not 0 <= self.keep_bias < math.inf:
            raise ValueError(f"keep_bias is {self.keep_bias}, not a number of at least 0")


class RaggedCache(Cache):
    """Keys and values of each layer (rows, heads, slots, width), which can be written at any slot of any row.

    Before each forward pass, set `rows` to the rows of the batch, `slots` (rows, tokens) to the slots of its tokens,
    and `width` to the number of slots that attention reads.
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
        """Zeros, not uninitialised memory: a masked slot has weight 0, and 0 x NaN is NaN."""
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
    """An unfinished answer; `cached` counts the tokens in the cache: all of prompt and answer but the last one."""

    index: int
    request: GenerationRequest
    drafter: Drafter
    draws: list[float]
    cached: int
    tokens: list[int] = field(default_factory=list)
    end: str = ""

    @property
    def pending(self) -> int:
        """The last token, which the next forward pass reads."""
        return self.tokens[-1] if self.tokens else self.request.prompt[-1]


class Generator:
    """Continues prompts with a causal language model, `batch` rows at once; `stop` are the tokens that end an answer.

    `drafts` is the most tokens that a row guesses ahead (0: plain decoding, one token for each forward pass).
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
        self._base = unwrap_base(model)
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
        """Yield the index and the answer of each request as soon as it is finished.

        The longest requests start first, so that the rows of a batch have similar lengths; but those of a lower rank
        start before those of a higher one (`ranks` has a number for each request).
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
                        yield rows[place].index, self._answer(rows[place])
                        _remove(rows, place, cache)
        finally:
            self._model.train(training)

    def _fill(
        self, rows: list[_Row], queue: deque[int], requests: Sequence[GenerationRequest], cache: RaggedCache
    ) -> None:
        """Start new requests once enough rows are free: a prefill of few rows would waste most of its cost."""
        free = self._batch - len(rows)
        if not queue or (rows and free < max(1, self._batch // 4)):
            return
        new = [
            self._new_row(index, requests[index]) for index in (queue.popleft() for _ in range(min(free, len(queue))))
        ]
        self._prefill(new, len(rows), cache)
        rows += new

    def _new_row(self, index: int, request: GenerationRequest) -> _Row:
        texts = self._tokenizer.convert_ids_to_tokens(request.source)
        drafter = Drafter(request.source, texts, self._stop[0])
        return _Row(
            index=index,
            request=request,
            drafter=drafter,
            draws=self._draws(request),
            cached=len(request.prompt) - 1,
        )

    def _draws(self, request: GenerationRequest) -> list[float]:
        """A number in [0, 1) for each token of the answer, keyed by seed and prompt, independent of the batch."""
        if not self._sampling.temperature:
            return []
        key = ticket(self._sampling.seed, request.seed, *request.prompt, size=7)
        random = torch.Generator().manual_seed(int.from_bytes(key, "big"))
        draws: list[float] = torch.rand(request.limit, generator=random, dtype=torch.float64).tolist()
        return draws

    @torch.no_grad()
    def _prefill(self, rows: Sequence[_Row], first: int, cache: RaggedCache) -> None:
        """Cache the prompts except for their last tokens, without computing logits."""
        width = max(row.cached for row in rows)
        if not width:
            return
        ids = torch.tensor([[*row.request.prompt[: row.cached], *[0] * (width - row.cached)] for row in rows])
        slots = torch.arange(width).expand(len(rows), width)
        self._address(cache, first, slots, width)
        self._base.base_model(**self._inputs(ids, slots, slots[:1], width), past_key_values=cache, use_cache=True)

    @torch.no_grad()
    def _advance(self, rows: Sequence[_Row], cache: RaggedCache) -> None:
        """One forward pass over the last token and the draft of each row; keep the confirmed tokens and one more."""
        drafts = [self._draft(row) for row in rows]
        width = 1 + max(map(len, drafts))
        ids = torch.tensor(
            [[row.pending, *d, *[0] * (width - 1 - len(d))] for row, d in zip(rows, drafts, strict=True)]
        )
        cached = torch.tensor([row.cached for row in rows])[:, None]
        slots = cached + torch.arange(width)
        # Padding behind a draft repeats the last real position: a learned position beyond it may not exist.
        positions = torch.minimum(slots, cached + torch.tensor([len(draft) for draft in drafts])[:, None])
        reach = int(slots.max()) + 1
        self._address(cache, 0, slots, reach)
        inputs = self._inputs(ids, positions, slots, reach)
        logits = self._base(**inputs, past_key_values=cache, use_cache=True).logits
        self._add_keep_bias(logits, rows, drafts)
        for row, draft, choices in zip(rows, drafts, self._choose_tokens(logits, rows), strict=True):
            self._accept(row, draft, choices)

    def _draft(self, row: _Row) -> list[int]:
        return row.drafter.draft(min(self._drafts, row.request.limit - len(row.tokens) - 1))

    def _address(self, cache: RaggedCache, first: int, slots: Tensor, width: int) -> None:
        """Set the rows and slots to which the next forward pass writes."""
        cache.rows = torch.arange(first, first + len(slots), device=self._device)
        cache.slots = slots.to(self._device)
        cache.width = width

    def _inputs(self, ids: Tensor, positions: Tensor, slots: Tensor, width: int) -> dict[str, Any]:
        return {
            "input_ids": ids.to(self._device),
            "position_ids": positions.to(self._device),
            "attention_mask": self._masks(slots.to(self._device), width, self._model.dtype),
        }

    def _add_keep_bias(self, logits: Tensor, rows: Sequence[_Row], drafts: Sequence[Sequence[int]]) -> None:
        """Add the bias in place, at each position of a draft and behind it where the answer follows its source."""
        if not self._sampling.keep_bias:
            return
        for row_logits, row, draft in zip(logits, rows, drafts, strict=True):
            for position, token in row.drafter.source_tokens(len(draft)):
                row_logits[position, token] += self._sampling.keep_bias

    def _choose_tokens(self, logits: Tensor, rows: Sequence[_Row]) -> list[list[int]]:
        """The model's token at each position (rows, tokens)."""
        sampling = self._sampling
        if not sampling.temperature:
            likeliest: list[list[int]] = logits.argmax(-1).tolist()
            return likeliest
        return [
            [
                _sample_token(position_logits, draw, sampling)
                for position_logits, draw in zip(row_logits, row.draws[len(row.tokens) :], strict=False)
            ]
            for row_logits, row in zip(logits, rows, strict=True)
        ]

    def _accept(self, row: _Row, draft: Sequence[int], choices: Sequence[int]) -> None:
        """Append the model's tokens up to the first one that differs from the draft, or to the end of the answer."""
        for position, token in enumerate(choices[: len(draft) + 1]):
            row.tokens.append(token)
            row.cached += 1
            row.end = self._end_reason(row)
            if row.end:
                return
            # The model's vocabulary is often padded, so that the tokenizer does not know its last tokens.
            row.drafter.advance(token, self._tokenizer.convert_ids_to_tokens(token) or "")
            if position < len(draft) and draft[position] != token:
                return

    def _end_reason(self, row: _Row) -> str:
        """Why the answer ends at its last token; empty if it continues."""
        if row.tokens[-1] in self._stop:
            return "end"
        if runs_away(row.tokens, row.request.source):
            return "repeat"
        return "length" if len(row.tokens) >= row.request.limit else ""

    def _answer(self, row: _Row) -> GeneratedAnswer:
        tokens = row.tokens[:-1] if row.end == "end" else row.tokens
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return GeneratedAnswer(str(text), len(row.tokens), row.end, tuple(row.tokens))


class _Masks:
    """Additive attention masks (rows, 1, tokens, slots) for the kinds of layers that a model has."""

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
        """`slots` (rows, tokens) are the slots of the queries, `width` is the number of slots that exist."""
        keys = torch.arange(width, device=slots.device)
        causal = keys <= slots[:, :, None]
        sliding = causal & (keys > slots[:, :, None] - self._window) if self._window else causal
        if len(self._kinds) < 2:
            return _additive_mask(sliding, dtype)
        return {"full_attention": _additive_mask(causal, dtype), "sliding_attention": _additive_mask(sliding, dtype)}


def _additive_mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    mask = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return mask.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]


def _remove(rows: list[_Row], place: int, cache: RaggedCache) -> None:
    """Remove a finished row; the last row moves into its place, so that the active rows stay contiguous."""
    last = rows.pop()
    if place < len(rows):
        cache.move(len(rows), place)
        rows[place] = last


def _sample_token(logits: Tensor, draw: float, sampling: Sampling) -> int:
    """The token whose interval of the cumulative probability (most likely first, up to `top_p`) contains `draw`."""
    probabilities, tokens = (logits.double() / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
    cumulative = probabilities.cumsum(-1)
    count = int((cumulative - probabilities < sampling.top_p).sum())
    at = int(torch.searchsorted(cumulative[:count], draw * cumulative[count - 1], right=True))
    return int(tokens[min(at, count - 1)])


def runs_away(tokens: Sequence[int], source: Sequence[int]) -> bool:
    """Whether the answer ends with repetitions that its source does not explain.

    These are at least `MIN_REPEATS` copies of the same tokens, together at least `MIN_REPEATED` tokens. Tables and
    lists repeat themselves too: it counts only if the source does not have half as many copies in a row.
    """
    for period in range(1, min(MAX_PERIOD, len(tokens) // MIN_REPEATS) + 1):
        if tokens[-1] != tokens[-1 - period] or tokens[-period:] != tokens[-2 * period : -period]:
            continue
        repeats = _count_repeats(tokens, period)
        if repeats >= MIN_REPEATS and repeats * period >= MIN_REPEATED:
            return not _contains(source, list(tokens[-period:]) * -(-repeats // 2))
    return False


def _count_repeats(tokens: Sequence[int], period: int) -> int:
    """How many copies of the last `period` tokens are in a row at the end."""
    unit, repeats = tokens[-period:], 1
    while tokens[-(repeats + 1) * period : -repeats * period] == unit:
        repeats += 1
    return repeats


def _contains(tokens: Sequence[int], part: list[int]) -> bool:
    size = len(part)
    return any(list(tokens[at : at + size]) == part for at in range(len(tokens) - size + 1))
