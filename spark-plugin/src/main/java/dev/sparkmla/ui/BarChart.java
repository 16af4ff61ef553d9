package dev.sparkmla.ui;

import dev.sparkmla.engine.Histogram;
import java.util.Collections;
import java.util.List;
import java.util.function.LongFunction;

/**
 * A bar chart of a histogram, in SVG: how many rows have which size. Immutable.
 *
 * @param title the chart's title
 * @param rows the number of rows by size
 * @param spelling writes a size as a text
 */
public record BarChart(String title, Histogram rows, LongFunction<String> spelling) {
  /** So that a histogram of one bucket is seen in its surroundings. */
  private static final int LEAST_BARS = 6;

  private static final int MOST_MARKS = 7;

  /** The chart, with the median and the 99th percentile, which are known by their buckets. */
  public String svg() {
    if (rows.total() == 0) {
      return ChartArea.empty(title);
    }
    ChartArea area = new ChartArea(title, Collections.max(rows.counts()));
    area.text(
        ChartArea.RIGHT,
        14,
        "end",
        "median %s, 99 %% below %s"
            .formatted(
                range(rows.quantile(0.5)),
                spelling.apply(Histogram.least(rows.quantile(0.99) + 1))));
    List<Long> counts = rows.counts();
    int first = 0;
    while (counts.get(first) == 0) {
      first++;
    }
    int missing = Math.max(0, LEAST_BARS - (counts.size() - first));
    int from = Math.max(0, first - missing / 2);
    int bars = Math.max(LEAST_BARS, counts.size() - from);
    double width = (double) (ChartArea.RIGHT - ChartArea.LEFT) / bars;
    int marked = (bars + MOST_MARKS) / MOST_MARKS;
    for (int bar = 0; bar <= bars; bar++) {
      int bucket = from + bar;
      double x = ChartArea.LEFT + bar * width;
      if (bar % marked == 0) {
        area.mark(x, spelling.apply(Histogram.least(bucket)));
      }
      if (bar < bars && bucket < counts.size()) {
        bar(area, x, width, bucket);
      }
    }
    return area.svg();
  }

  private void bar(ChartArea area, double x, double width, int bucket) {
    long count = rows.counts().get(bucket);
    area.add(
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#1f77b4\"><title>%s:"
            + " %s rows</title></rect>",
        x + 1,
        area.y(count),
        Math.max(1, width - 2),
        ChartArea.BOTTOM - area.y(count),
        range(bucket),
        HtmlText.number(count));
  }

  /** The sizes in a bucket. */
  private String range(int bucket) {
    long last = Histogram.least(bucket + 1) - 1;
    return Histogram.least(bucket) == last
        ? spelling.apply(last)
        : spelling.apply(Histogram.least(bucket)) + " to " + spelling.apply(last);
  }
}
