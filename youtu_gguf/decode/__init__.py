"""From the model's answers and scores to values: tag grammar and dense mathematics. Pure, no I/O."""
