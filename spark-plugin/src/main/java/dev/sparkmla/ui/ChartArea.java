package dev.sparkmla.ui;

import java.util.Locale;

/**
 * What charts in SVG have in common: title, axes and grid. Lengths are in pixels. Not thread-safe.
 */
final class ChartArea {
  /** Three charts side by side are as wide as Spark's pages on a small screen. */
  static final int WIDTH = 392;

  static final int LEFT = 60;
  static final int RIGHT = 374;
  static final int TOP = 36;
  static final int BOTTOM = 164;

  private static final int HEIGHT = 196;
  private static final int LINES = 4;

  private final StringBuilder svg = new StringBuilder();
  private final double highest;

  /**
   * @param title the chart's title
   * @param largest the largest value, ≥ 0
   */
  ChartArea(String title, double largest) {
    this.highest = roundUp(largest);
    add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\""
            + " role=\"img\" font-size=\"11\" fill=\"currentColor\"><title>%s</title>",
        WIDTH, HEIGHT, WIDTH, HEIGHT, HtmlText.escape(title));
    text(4, 14, "start", title);
    for (int line = 0; line <= LINES; line++) {
      double value = highest * line / LINES;
      add(
          "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"currentColor\""
              + " stroke-opacity=\"0.2\"/>",
          LEFT, y(value), RIGHT, y(value));
      text(LEFT - 4, y(value) + 4, "end", HtmlText.number(value));
    }
  }

  /** A chart without values. */
  static String empty(String title) {
    ChartArea area = new ChartArea(title, 0);
    area.text(LEFT + 8, TOP + 20, "start", "no data");
    return area.svg();
  }

  /** The vertical position of a value. */
  double y(double value) {
    return BOTTOM - (BOTTOM - TOP) * value / highest;
  }

  /** Marks a position on the horizontal axis. */
  void mark(double x, String text) {
    add(
        "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"currentColor\""
            + " stroke-opacity=\"0.4\"/>",
        x, BOTTOM, x, BOTTOM + 4);
    double half = 3.2 * text.length();
    text(Math.min(x, WIDTH - half), BOTTOM + 17, "middle", text);
  }

  /**
   * Adds a text. The anchor, one of {@code start}, {@code middle} and {@code end}, is the part of
   * the text that is at the position.
   */
  void text(double x, double y, String anchor, String text) {
    add(
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
        x, y, anchor, HtmlText.escape(text));
  }

  /** Adds an SVG element from a format and its values. */
  void add(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values));
  }

  /** The whole chart. */
  String svg() {
    return svg + "</svg>";
  }

  /**
   * The least number, not below the value, that is 4, 8 or 20 times a power of ten: quarters of
   * these are short to write.
   */
  private static double roundUp(double value) {
    double power = 1;
    while (true) {
      for (int step : new int[] {4, 8, 20}) {
        if (value <= step * power) {
          return step * power;
        }
      }
      power *= 10;
    }
  }
}
