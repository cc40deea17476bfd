"""Credit scoring as a worked example: a scorecard with reasons, rivals beside it, fairness by sex and age."""
