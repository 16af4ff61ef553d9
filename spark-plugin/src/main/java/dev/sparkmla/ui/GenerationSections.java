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
import dev.sparkmla.ui.HtmlTable.Column;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
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
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  /** Engines report every few seconds, each at its own times: means of less would jump. */
  private static final Duration LEAST_RATE_TIME = Duration.ofSeconds(10);

  /** How many rates a line over time is drawn through. */
  private static final int RATES = 120;

  private static final String NOW = "Between the last two reports of each running executor";
  private static final String AVERAGE = "Over the time in which engines had rows";
  private static final String CACHED =
      "Prompt tokens that were found in the KV cache, because rows before had them too";
  private static final String PREEMPTIONS =
      "How often a row lost its blocks to an older one and was computed again";

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
    Rates average = Rates.whileBusy(moments);
    Figures figures = new Figures("figures");
    if (runs.isEmpty()) {
      figures
          .add("Rows done", HtmlText.number(rows.finished()), "Rows that have their results")
          .add("Rows left", "unknown", "A query does not know how many rows it will have");
    } else {
      figures
          .add("Rows done", sum(RunProgress::done), "Rows of the runs below that are generated")
          .add("Rows left", sum(RunProgress::left), "Rows of the runs below that are not");
    }
    return figures
        .add(
            "Rows in error",
            HtmlText.number(rows.failed()),
            "Rows that ended in error in this application")
        .add("Running", HtmlText.number(totals.running()), "Sequences that are being computed")
        .add("Waiting", HtmlText.number(totals.waiting()), "Rows that wait to be computed")
        .newLine()
        .add("Tokens in", HtmlText.number(totals.promptTokens()), "Tokens of prompts")
        .add("Tokens out", HtmlText.number(totals.outputTokens()), "Tokens generated")
        .add("Tokens/s in, now", HtmlText.number(now(Rates::promptTokens)), NOW)
        .add("Tokens/s out, now", HtmlText.number(now(Rates::outputTokens)), NOW)
        .add("Tokens/s in, average", HtmlText.number(average.promptTokens()), AVERAGE)
        .add("Tokens/s out, average", HtmlText.number(average.outputTokens()), AVERAGE)
        .newLine()
        .add(
            "Tokens in from cache",
            HtmlText.percent(totals.cachedTokens(), totals.promptTokens()),
            CACHED)
        .add(
            "Cache blocks used",
            HtmlText.number(totals.usedBlocks()) + " of " + HtmlText.number(totals.cacheBlocks()),
            "Blocks of the KV cache that running sequences hold")
        .add("Preemptions", HtmlText.number(totals.preemptions()), PREEMPTIONS)
        .html();
  }

  private String sum(ToLongFunction<RunProgress> rows) {
    return HtmlText.number(runs.stream().mapToLong(rows).sum());
  }

  private double now(ToDoubleFunction<Rates> rate) {
    return executors.stream()
        .filter(executor -> executor.state() == ExecutorRecord.State.RUNNING)
        .map(ExecutorRecord::recent)
        .mapToDouble(rate)
        .sum();
  }

  /** A table with the progress of the application's runs; empty where it has none. */
  public String runTable() {
    if (runs.isEmpty()) {
      return "";
    }
    HtmlTable table =
        new HtmlTable(
            "runs",
            List.of(
                Column.ofTexts("Output"),
                Column.ofNumbers("Rows").explained("Rows of the input"),
                Column.ofNumbers("Done"),
                Column.ofNumbers("Done by earlier runs"),
                Column.ofNumbers("Left"),
                Column.ofNumbers("Done (%)")));
    for (RunProgress run : runs) {
      table.row(
          List.of(
              run.run(),
              HtmlText.number(run.total()),
              HtmlText.number(run.done()),
              HtmlText.number(run.earlier()),
              HtmlText.number(run.left()),
              HtmlText.number(100.0 * run.done() / Math.max(1, run.total()))));
    }
    return HtmlText.heading("runs-title", "Runs") + table.html();
  }

  /** Charts over time of token rates, of running and waiting rows, and of used cache blocks. */
  public String chartsOverTime() {
    return HtmlText.heading("charts", "Over time")
        + "<div>"
        + new LineChart(
                "Tokens/s",
                List.of(rates("in", Moment::promptTokens), rates("out", Moment::outputTokens)))
            .svg()
        + new LineChart(
                "Rows", List.of(line("running", Moment::running), line("waiting", Moment::waiting)))
            .svg()
        + new LineChart(
                "Cache blocks (%)",
                List.of(
                    line(
                        "used",
                        moment -> 100.0 * moment.usedBlocks() / Math.max(1, moment.cacheBlocks()))))
            .svg()
        + "</div>"
        + (moments.isEmpty() ? "" : note(beginning()));
  }

  private String beginning() {
    return "Time since "
        + DATE.format(Instant.ofEpochMilli(moments.get(0).time()))
        + ", when the first engine reported. Tokens/s are means of "
        + rateMillis() / 1000
        + " seconds.";
  }

  private LineChart.Series rates(String name, ToLongFunction<Moment> tokens) {
    List<LineChart.Point> points = new ArrayList<>();
    for (int i = 0; i <= RATES && moments.size() > 1; i++) {
      long first = moments.get(0).time();
      long time = first + span() * i / RATES;
      long since = Math.max(first, time - rateMillis());
      double many = sum(tokens, time) - sum(tokens, since);
      points.add(new LineChart.Point(time, 1e3 * many / Math.max(1, time - since)));
    }
    return new LineChart.Series(name, points);
  }

  /** A sum of the moments at a time between the first and the last, if it grows evenly between. */
  private double sum(ToLongFunction<Moment> sums, long time) {
    int next = 1;
    while (moments.get(next).time() < time) {
      next++;
    }
    Moment before = moments.get(next - 1);
    Moment after = moments.get(next);
    double part = (double) (time - before.time()) / (after.time() - before.time());
    long sum = sums.applyAsLong(before);
    return sum + part * (sums.applyAsLong(after) - sum);
  }

  private long span() {
    return moments.get(moments.size() - 1).time() - moments.get(0).time();
  }

  /** The time of which rates over time are means, in milliseconds. */
  private long rateMillis() {
    return Math.max(LEAST_RATE_TIME.toMillis(), span() / RATES);
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
    Map<Column, Function<ExecutorRecord, String>> columns = new LinkedHashMap<>();
    columns.put(Column.ofTexts("Executor"), ExecutorRecord::id);
    columns.put(Column.ofTexts("Host"), ExecutorRecord::host);
    columns.put(Column.ofTexts("State"), GenerationSections::state);
    columns.put(
        Column.ofTexts("Device"), executor -> reported(executor, GenerationSections::devices));
    columns.put(Column.ofTexts("Model"), executor -> reported(executor, EngineReport::model));
    columns.put(
        Column.ofNumbers("Rows").explained("Rows that have their results, in error or not"),
        engines(EngineStatistics::finished));
    columns.put(Column.ofNumbers("In error"), engines(engines -> engines.rows().failed()));
    columns.put(Column.ofNumbers("Running"), engines(EngineStatistics::running));
    columns.put(Column.ofNumbers("Waiting"), engines(EngineStatistics::waiting));
    columns.put(
        Column.ofNumbers("Tokens/s in"),
        executor -> HtmlText.number(rates(executor).promptTokens()));
    columns.put(
        Column.ofNumbers("Tokens/s out"),
        executor -> HtmlText.number(rates(executor).outputTokens()));
    columns.put(
        Column.ofNumbers("Step (ms)").explained("The mean time of a forward pass"),
        executor -> HtmlText.number(rates(executor).stepMillis()));
    columns.put(
        Column.ofNumbers("Cached (%)").explained(CACHED),
        engines(engines -> 100.0 * engines.cachedTokens() / Math.max(1, engines.promptTokens())));
    columns.put(
        Column.ofNumbers("Blocks used")
            .explained("Blocks of the KV cache that running sequences hold"),
        engines(EngineStatistics::usedBlocks));
    columns.put(
        Column.ofNumbers("Blocks").explained("Blocks of the KV cache"),
        engines(EngineStatistics::cacheBlocks));
    columns.put(
        Column.ofNumbers("Preemptions").explained(PREEMPTIONS),
        engines(EngineStatistics::preemptions));
    HtmlTable table = new HtmlTable("executors", List.copyOf(columns.keySet()));
    for (ExecutorRecord executor : executors) {
      table.row(columns.values().stream().map(column -> column.apply(executor)).toList());
    }
    return HtmlText.heading("executors-title", "Executors")
        + table.html()
        + note(
            "Tokens/s and step: of a running executor between its last two reports, of the others"
                + " over the time in which they computed.");
  }

  private static Function<ExecutorRecord, String> engines(
      ToDoubleFunction<EngineStatistics> figure) {
    return executor -> HtmlText.number(figure.applyAsDouble(executor.statistics()));
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

  /** A table of errors by their codes, with examples, or a sentence that there is no error. */
  public String errorTable() {
    RowStatistics rows = totals.rows();
    String heading = HtmlText.heading("errors-title", "Errors");
    if (rows.errors().isEmpty()) {
      return heading + "<p id=\"errors\">No row is in error.</p>";
    }
    HtmlTable table =
        new HtmlTable(
            "errors",
            List.of(Column.ofTexts("Code"), Column.ofNumbers("Rows"), Column.ofTexts("Examples")));
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
                            .distinct()
                            .collect(Collectors.joining(" · ")))));
    return heading + table.html();
  }

  /** Histograms of prompt lengths, output lengths and times of rows. */
  public String histograms() {
    RowStatistics rows = totals.rows();
    return HtmlText.heading("histograms", "Rows without error, by length and time")
        + Stream.of(
                new BarChart("Prompt tokens", rows.promptTokens(), HtmlText::number),
                new BarChart("Output tokens", rows.outputTokens(), HtmlText::number),
                new BarChart("Time", rows.milliseconds(), HtmlText::time))
            .map(BarChart::svg)
            .collect(Collectors.joining("", "<div>", "</div>"))
        + note(
            "Each bar is a number of rows. A row's time is from when an engine took it, with its"
                + " batch, until it had its result: it was tokenized, waited and was computed.");
  }

  private static String note(String text) {
    return "<p class=\"small text-secondary\">" + HtmlText.escape(text) + "</p>";
  }
}
