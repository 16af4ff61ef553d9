package dev.sparkmla.ui;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * A chart of values over time, in SVG. Immutable.
 *
 * @param title the chart's title
 * @param series the lines, at least one and at most three, all with points at the same times
 */
public record LineChart(String title, List<Series> series) {
  /** The colors of the lines, in their order. */
  private static final List<String> COLORS = List.of("#1f77b4", "#e8710a", "#2e9e4f");

  private static final int MOST_MARKS = 6;

  /** The distances between marks of time, in seconds: what a person counts in. */
  private static final List<Integer> STEPS =
      List.of(
          1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
          86400);

  /**
   * A line of the chart. Immutable.
   *
   * @param name the line's name in the legend
   * @param points in the order of their times
   */
  public record Series(String name, List<Point> points) {
    /** Copies the list. */
    public Series {
      points = List.copyOf(points);
    }
  }

  /**
   * A point of a line: a value at a time.
   *
   * @param time the time, in milliseconds since 1970
   * @param value the value, ≥ 0
   */
  public record Point(long time, double value) {}

  /** Copies the list. */
  public LineChart {
    series = List.copyOf(series);
  }

  /** The chart, without lines where there are fewer than two points. */
  public String svg() {
    List<Point> times = series.get(0).points();
    if (times.size() < 2) {
      return ChartArea.empty(title);
    }
    double largest =
        series.stream()
            .flatMap(line -> line.points().stream())
            .mapToDouble(Point::value)
            .max()
            .orElseThrow();
    ChartArea area = new ChartArea(title, largest);
    long first = times.get(0).time();
    long span = Math.max(1, times.get(times.size() - 1).time() - first);
    long step = step(span);
    for (long mark = 0; mark <= span; mark += step) {
      area.mark(x(mark, span), clock(mark));
    }
    int legend = ChartArea.RIGHT;
    for (int i = 0; i < series.size(); i++) {
      draw(area, series.get(i), COLORS.get(i), first, span);
    }
    for (int i = series.size() - 1; i >= 0; i--) {
      area.add("<g fill=\"%s\">", COLORS.get(i));
      area.text(legend, 14, "end", "— " + series.get(i).name());
      area.add("</g>");
      legend -= 26 + 7 * series.get(i).name().length();
    }
    return area.svg();
  }

  private static void draw(ChartArea area, Series line, String color, long first, long span) {
    StringBuilder points = new StringBuilder();
    for (Point point : line.points()) {
      points.append(
          String.format(
              Locale.ROOT, "%.1f,%.1f ", x(point.time() - first, span), area.y(point.value())));
    }
    area.add(
        "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"%s\"/>",
        color, points.toString().strip());
  }

  private static double x(long time, long span) {
    return ChartArea.LEFT + (double) (ChartArea.RIGHT - ChartArea.LEFT) * time / span;
  }

  /** The least distance between marks with which there are few enough, in milliseconds. */
  private static long step(long span) {
    for (int seconds : STEPS) {
      if (span <= MOST_MARKS * 1000L * seconds) {
        return 1000L * seconds;
      }
    }
    long days = 1;
    while (span > MOST_MARKS * TimeUnit.DAYS.toMillis(days)) {
      days *= 2;
    }
    return TimeUnit.DAYS.toMillis(days);
  }

  private static String clock(long millis) {
    long seconds = millis / 1000;
    return seconds < 3600
        ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
        : String.format(Locale.ROOT, "%d:%02d h", seconds / 3600, seconds / 60 % 60);
  }
}
