package dev.sparkmla.ui;

import dev.sparkmla.engine.Histogram;
import java.util.Collections;
import java.util.function.LongFunction;

/**
 * A bar chart of a histogram, in SVG: how many rows have which size. Immutable.
 *
 * @param title the chart's title
 * @param rows the number of rows by size
 * @param spelling writes a size as a text
 */
public record BarChart(String title, Histogram rows, LongFunction<String> spelling) {
  /** The chart, with the median and the 99th percentile in its title. */
  public String svg() {
    if (rows.total() == 0) {
      ChartArea area = new ChartArea(title, 0);
      area.text(ChartArea.LEFT + 8, ChartArea.TOP + 20, "start", "nothing to draw yet");
      return area.svg();
    }
    ChartArea area = new ChartArea(title, Collections.max(rows.counts()));
    area.text(
        ChartArea.RIGHT,
        14,
        "end",
        "half up to %s, 99 %% up to %s"
            .formatted(spelling.apply(rows.quantile(0.5)), spelling.apply(rows.quantile(0.99))));
    int from = 0;
    while (rows.counts().get(from) == 0) {
      from++;
    }
    int bars = rows.counts().size() - from;
    double width = (double) (ChartArea.RIGHT - ChartArea.LEFT) / bars;
    int labelled = Math.max(1, (bars + 7) / 8);
    for (int bar = 0; bar < bars; bar++) {
      long count = rows.counts().get(from + bar);
      double x = ChartArea.LEFT + bar * width;
      area.add(
          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#1f77b4\"><title>%s to"
              + " %s: %s rows</title></rect>",
          x + 1,
          area.y(count),
          Math.max(1, width - 2),
          ChartArea.BOTTOM - area.y(count),
          spelling.apply(Histogram.least(from + bar)),
          spelling.apply(Histogram.least(from + bar + 1) - 1),
          HtmlText.number(count));
      if (bar % labelled == 0) {
        area.text(
            x + width / 2,
            ChartArea.HEIGHT - 8,
            "middle",
            spelling.apply(Histogram.least(from + bar)));
      }
    }
    return area.svg();
  }
}
