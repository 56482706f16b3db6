"""The colours of reports and plots: at least 3:1 on white, told apart in the common colour-vision deficiencies."""

INK, MUTED, GRID = "#1b1f24", "#5c6570", "#dfe3e8"
COLOURS = ("#0033ff", "#884400", "#5599dd", "#665577", "#cc7788", "#999900")
DARK = {
    "#1b1f24": "#e8eaed", "#5c6570": "#a3adb8", "#dfe3e8": "#343a43",
    "#0033ff": "#4477ff", "#884400": "#ffbb22", "#5599dd": "#77ddbb", "#665577": "#bb6688", "#cc7788": "#ccbbff",
    "#999900": "#778800",
}  # fmt: skip
"""What a dark page has instead: ink at full contrast, marks at least 4.5:1 on #14171c."""
