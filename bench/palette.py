"""The colours of reports and plots: at least 3:1 on white, told apart in the common colour-vision deficiencies."""

INK, MUTED, GRID = "#1b1f24", "#5c6570", "#dfe3e8"
COLOURS = ("#0033ff", "#884400", "#5599dd", "#665577", "#cc7788", "#999900")
