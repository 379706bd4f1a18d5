"""The model's side of stages 2 and 3: loading, encoding, loss, training, generation."""
