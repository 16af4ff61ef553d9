package dev.sparkmla.ui;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.RowFailure;
import dev.sparkmla.engine.RowStatistics;
import dev.sparkmla.metrics.EngineReport;
import dev.sparkmla.metrics.ExecutorRecord;
import dev.sparkmla.metrics.GenerationStore;
import dev.sparkmla.metrics.Moment;
import dev.sparkmla.metrics.Rates;
import dev.sparkmla.metrics.RunProgress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The sections of a page about what an application has generated, in HTML. All show the state at
 * one time. Immutable.
 *
 * @param executors the executors that have a record
 * @param totals what all engines have done, and what those of the present executors are doing
 * @param moments the points of charts over time
 * @param runs the progress of the application's runs
 */
public record GenerationSections(
    List<ExecutorRecord> executors,
    EngineStatistics totals,
    List<Moment> moments,
    List<RunProgress> runs) {
  /** Copies the lists. */
  public GenerationSections {
    executors = List.copyOf(executors);
    moments = List.copyOf(moments);
    runs = List.copyOf(runs);
  }

  /** Reads the state of an application. */
  public static GenerationSections of(GenerationStore store) {
    return new GenerationSections(store.executors(), store.totals(), store.moments(), store.runs());
  }

  /** Figures of the application as a whole. */
  public String figures() {
    RowStatistics rows = totals.rows();
    Rates average = average();
    return new Figures("figures")
        .add("Rows done", HtmlText.number(rows.finished()))
        .add("Rows left", left())
        .add("Rows in error", HtmlText.number(rows.failed()))
        .add("Running", HtmlText.number(totals.running()))
        .add("Waiting", HtmlText.number(totals.waiting()))
        .add("Tokens in", HtmlText.number(totals.promptTokens()))
        .add("Cached", HtmlText.percent(totals.cachedTokens(), totals.promptTokens()))
        .add("Tokens out", HtmlText.number(totals.outputTokens()))
        .add("Tokens/s in, now", HtmlText.number(now(Rates::promptTokens)))
        .add("Tokens/s out, now", HtmlText.number(now(Rates::outputTokens)))
        .add("Tokens/s in, average", HtmlText.number(average.promptTokens()))
        .add("Tokens/s out, average", HtmlText.number(average.outputTokens()))
        .add("Cache blocks used", blocks(totals))
        .add("Preemptions", HtmlText.number(totals.preemptions()))
        .html();
  }

  /** How many rows the application's runs have left; unknown where there is no run. */
  private String left() {
    return runs.isEmpty()
        ? "unknown"
        : HtmlText.number(runs.stream().mapToLong(RunProgress::left).sum());
  }

  private double now(ToDoubleFunction<Rates> rate) {
    return executors.stream()
        .filter(executor -> executor.state() == ExecutorRecord.State.RUNNING)
        .map(ExecutorRecord::recent)
        .mapToDouble(rate)
        .sum();
  }

  private Rates average() {
    return moments.isEmpty()
        ? Rates.NONE
        : Rates.between(moments.get(0), moments.get(moments.size() - 1));
  }

  /** A table with the progress of the application's runs; empty where it has none. */
  public String runTable() {
    if (runs.isEmpty()) {
      return "";
    }
    HtmlTable table =
        new HtmlTable("runs", List.of("Output", "Rows", "Done", "Of them earlier", "Left", "Part"));
    for (RunProgress run : runs) {
      table.row(
          List.of(
              run.run(),
              HtmlText.number(run.total()),
              HtmlText.number(run.done()),
              HtmlText.number(run.earlier()),
              HtmlText.number(run.left()),
              HtmlText.percent(run.done(), run.total())));
    }
    return HtmlText.heading("runs-title", "Runs") + table.html();
  }

  /** Charts over time of token rates, of running and waiting rows, and of used cache blocks. */
  public String chartsOverTime() {
    return HtmlText.heading("charts", "Over time")
        + "<div>"
        + new LineChart(
                "Tokens in a second",
                List.of(rates("in", Rates::promptTokens), rates("out", Rates::outputTokens)))
            .svg()
        + new LineChart(
                "Rows", List.of(line("running", Moment::running), line("waiting", Moment::waiting)))
            .svg()
        + new LineChart(
                "Cache blocks used, in percent",
                List.of(
                    line(
                        "used",
                        moment -> 100.0 * moment.usedBlocks() / Math.max(1, moment.cacheBlocks()))))
            .svg()
        + "</div>";
  }

  private LineChart.Series rates(String name, ToDoubleFunction<Rates> rate) {
    List<LineChart.Point> points = new ArrayList<>();
    for (int i = 0; i < moments.size(); i++) {
      Moment earlier = moments.get(Math.max(0, i - 1));
      double value = rate.applyAsDouble(Rates.between(earlier, moments.get(i)));
      points.add(new LineChart.Point(moments.get(i).time(), value));
    }
    return new LineChart.Series(name, points);
  }

  private LineChart.Series line(String name, ToDoubleFunction<Moment> value) {
    return new LineChart.Series(
        name,
        moments.stream()
            .map(moment -> new LineChart.Point(moment.time(), value.applyAsDouble(moment)))
            .toList());
  }

  /** A table of the executors. */
  public String executorTable() {
    Map<String, Function<ExecutorRecord, String>> columns = new LinkedHashMap<>();
    columns.put("Executor", ExecutorRecord::id);
    columns.put("Host", ExecutorRecord::host);
    columns.put("State", GenerationSections::state);
    columns.put("Computes on", executor -> reported(executor, GenerationSections::devices));
    columns.put("Model", executor -> reported(executor, EngineReport::model));
    columns.put("Rows", executor -> HtmlText.number(executor.statistics().finished()));
    columns.put("In error", executor -> HtmlText.number(executor.statistics().rows().failed()));
    columns.put("Running", executor -> HtmlText.number(executor.statistics().running()));
    columns.put("Waiting", executor -> HtmlText.number(executor.statistics().waiting()));
    columns.put("Tokens/s in", executor -> HtmlText.number(rates(executor).promptTokens()));
    columns.put("Tokens/s out", executor -> HtmlText.number(rates(executor).outputTokens()));
    columns.put("Step", executor -> HtmlText.time(rates(executor).stepMillis()));
    columns.put(
        "Cached",
        executor ->
            HtmlText.percent(
                executor.statistics().cachedTokens(), executor.statistics().promptTokens()));
    columns.put("Cache blocks used", executor -> blocks(executor.statistics()));
    columns.put("Preemptions", executor -> HtmlText.number(executor.statistics().preemptions()));
    HtmlTable table = new HtmlTable("executors", List.copyOf(columns.keySet()));
    for (ExecutorRecord executor : executors) {
      table.row(columns.values().stream().map(column -> column.apply(executor)).toList());
    }
    return HtmlText.heading("executors-title", "Executors")
        + table.html()
        + "<p class=\"small text-secondary\">Tokens/s and step: between the last two reports of an"
        + " executor that is running; of the others, while they computed.</p>";
  }

  private static Rates rates(ExecutorRecord executor) {
    return executor.state() == ExecutorRecord.State.RUNNING
        ? executor.recent()
        : Rates.whileComputing(executor.statistics());
  }

  private static String state(ExecutorRecord executor) {
    String state = executor.state().name().toLowerCase(Locale.ROOT);
    return executor.removalReason().isEmpty() ? state : state + ": " + executor.removalReason();
  }

  private static String reported(ExecutorRecord executor, Function<EngineReport, String> property) {
    return executor.lastReport().map(property).orElse("");
  }

  /** The names of an executor's devices, with the number of devices of each name. */
  private static String devices(EngineReport report) {
    return report.devices().stream()
        .collect(Collectors.groupingBy(name -> name, LinkedHashMap::new, Collectors.counting()))
        .entrySet()
        .stream()
        .map(device -> (device.getValue() == 1 ? "" : device.getValue() + " × ") + device.getKey())
        .collect(Collectors.joining(", "));
  }

  private static String blocks(EngineStatistics statistics) {
    return "%s of %s"
        .formatted(
            HtmlText.number(statistics.usedBlocks()), HtmlText.number(statistics.cacheBlocks()));
  }

  /** A table of errors by their codes, with examples, or a sentence that there is no error. */
  public String errorTable() {
    RowStatistics rows = totals.rows();
    String heading = HtmlText.heading("errors-title", "Errors");
    if (rows.errors().isEmpty()) {
      return heading + "<p id=\"errors\">No row is in error.</p>";
    }
    HtmlTable table = new HtmlTable("errors", List.of("Code", "Rows", "Examples"));
    rows.errors()
        .forEach(
            (code, count) ->
                table.row(
                    List.of(
                        code.name(),
                        HtmlText.number(count),
                        rows.examples().stream()
                            .filter(example -> example.code() == code)
                            .map(RowFailure::message)
                            .collect(Collectors.joining(" · ")))));
    return heading + table.html();
  }

  /** Histograms of prompt lengths, output lengths and times of rows. */
  public String histograms() {
    RowStatistics rows = totals.rows();
    return HtmlText.heading("histograms", "Rows without error by their sizes")
        + Stream.of(
                new BarChart("Tokens of prompts", rows.promptTokens(), HtmlText::number),
                new BarChart("Tokens generated", rows.outputTokens(), HtmlText::number),
                new BarChart("Time of a row", rows.milliseconds(), HtmlText::time))
            .map(BarChart::svg)
            .collect(Collectors.joining("", "<div>", "</div>"))
        + "<p class=\"small text-secondary\">A row's time is from when an engine took it, with its"
        + " batch, until it had its result: it was tokenized, waited and was computed.</p>";
  }
}
