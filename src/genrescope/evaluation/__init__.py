"""How good an answer is: metrics with intervals, the cells of a study, and what may be claimed."""
