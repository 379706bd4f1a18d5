"""Models: loading in 4 bits, prompts, examples, loss, training, generation and the guard."""
