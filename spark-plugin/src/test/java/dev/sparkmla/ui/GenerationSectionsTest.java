package dev.sparkmla.ui;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.Histogram;
import dev.sparkmla.engine.RowFailure;
import dev.sparkmla.engine.RowStatistics;
import dev.sparkmla.metrics.EngineReport;
import dev.sparkmla.metrics.ExecutorRecord;
import dev.sparkmla.metrics.Moment;
import dev.sparkmla.metrics.Rates;
import dev.sparkmla.metrics.RunProgress;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class GenerationSectionsTest {
  private static final GenerationSections NOTHING =
      new GenerationSections(List.of(), EngineStatistics.NONE, List.of(), List.of());

  @Test
  void anApplicationThatHasNotBegunHasAPageToo() {
    assertThat(NOTHING.figures()).contains("Rows left", "unknown");
    assertThat(NOTHING.runTable()).isEmpty();
    assertThat(NOTHING.chartsOverTime()).contains("no data").doesNotContain("polyline");
    assertThat(NOTHING.histograms()).contains("no data").doesNotContain("<rect");
    assertThat(NOTHING.errorTable()).contains("No row is in error.");
  }

  @Test
  void showsExecutorsByTheirStates() {
    EngineReport report =
        new EngineReport("1", 9000, "a <model>", List.of("H100", "H100", "H200"), 3, statistics(2));
    String table =
        sections(
                new ExecutorRecord("0", "a", 1, 0, "", null, Rates.NONE),
                new ExecutorRecord("1", "b", 1, 0, "", report, new Rates(1500, 700, 20)),
                new ExecutorRecord("2", "c", 1, 8000, "killed", report, new Rates(1500, 700, 20)))
            .executorTable();
    assertThat(table)
        .contains("<td>0</td><td>a</td><td>loading</td>")
        .contains("<td>running</td><td>2 × H100, H200</td><td>a &lt;model&gt;</td>")
        .contains(numbers("1,500", "700", "20"))
        .contains("<td>removed: killed</td>")
        .as("of one that left, while it computed: 300 and 100 tokens, 4 steps in 2 seconds")
        .contains(numbers("150", "50", "500"));
  }

  @Test
  void addsUpWhatRunsHaveLeft() {
    GenerationSections sections =
        new GenerationSections(
            List.of(),
            statistics(0),
            List.of(),
            List.of(new RunProgress("a", 1, 0, 10, 100), new RunProgress("b", 2, 0, 5, 6)));
    assertThat(sections.figures())
        .contains("Rows done</div><div class=\"fs-5\">15<")
        .contains("Rows left</div><div class=\"fs-5\">91<");
    assertThat(sections.runTable()).contains("<td>a</td>" + numbers("100", "10", "0", "90", "10"));
  }

  @Test
  void showsErrorsWithTheirExamples() {
    assertThat(sections().errorTable())
        .contains("<td>EMPTY_PROMPT</td>" + numbers("7") + "<td>first &amp; second</td>");
  }

  @Test
  void drawsALineForEachSeries() {
    List<Moment> moments =
        IntStream.range(0, 10)
            .mapToObj(
                i -> new Moment(1000L * i, i, 0, 300L * i, 0, 100L * i, i, i, 0, 5, 10 - i, 20, 40))
            .toList();
    String charts =
        new GenerationSections(List.of(), statistics(0), moments, List.of()).chartsOverTime();
    assertThat(charts.split("<polyline", -1)).hasSize(1 + 5);
    assertThat(charts).contains("0:08", "Time since 1970-01-01 00:00:00 UTC").doesNotContain("NaN");
  }

  @Test
  void ratesAreMeansOfSomeSeconds() {
    List<Moment> moments =
        IntStream.range(0, 20)
            .mapToObj(i -> new Moment(1000L * i, 0, 0, 0, 0, 100L * (i / 5), i, i, 0, 1, 0, 1, 9))
            .toList();
    String charts =
        new GenerationSections(List.of(), statistics(0), moments, List.of()).chartsOverTime();
    assertThat(charts).as("100 tokens every 5 seconds, without jumps").contains(">20<");
    assertThat(charts).doesNotContain(">100<");
  }

  @Test
  void marksTimesThatAPersonCountsIn() {
    assertThat(marks(8_000)).containsExactly("0:00", "0:02", "0:04", "0:06", "0:08");
    assertThat(marks(131_000)).containsExactly("0:00", "0:30", "1:00", "1:30", "2:00");
    assertThat(marks(14 * 3_600_000L))
        .containsExactly("0:00", "3:00 h", "6:00 h", "9:00 h", "12:00 h");
    assertThat(marks(40 * 86_400_000L)).hasSizeLessThan(8).contains("192:00 h");
  }

  private static List<String> marks(long span) {
    String chart =
        new LineChart(
                "",
                List.of(
                    new LineChart.Series(
                        "", List.of(new LineChart.Point(0, 1), new LineChart.Point(span, 1)))))
            .svg();
    return Pattern.compile(">(\\d+:\\d\\d(?: h)?)<")
        .matcher(chart)
        .results()
        .map(mark -> mark.group(1))
        .toList();
  }

  @Test
  void drawsABarForEachBucketFromTheFirstThatHasRows() {
    String chart =
        new BarChart("sizes", new Histogram(List.of(0L, 0L, 2L, 0L, 6L)), HtmlText::number).svg();
    assertThat(chart.split("<rect", -1)).hasSize(1 + 3 + 1);
    assertThat(chart).contains("4 to 5: 6 rows", "median 4 to 5, 99 % below 6");
  }

  private static String numbers(String... cells) {
    return Stream.of(cells)
        .map(cell -> "<td class=\"text-end\">" + cell + "</td>")
        .collect(Collectors.joining());
  }

  private static GenerationSections sections(ExecutorRecord... executors) {
    return new GenerationSections(List.of(executors), statistics(2), List.of(), List.of());
  }

  private static EngineStatistics statistics(int running) {
    RowStatistics rows =
        new RowStatistics(
            9,
            Map.of(ErrorCode.EMPTY_PROMPT, 7L),
            List.of(new RowFailure(ErrorCode.EMPTY_PROMPT, "first & second")),
            Histogram.EMPTY,
            Histogram.EMPTY,
            Histogram.EMPTY);
    return new EngineStatistics(
        0, running, rows, 4, 2_000_000_000L, 300, 100, 100, 0, 0, 50, 50 - running);
  }
}
