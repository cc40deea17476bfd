"""How one of a few given answers is chosen: the sentences that carry it, the model's probabilities, and fitted cues."""
