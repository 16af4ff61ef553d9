package dev.sparkmla.jobs;

import dev.sparkmla.ui.Figures;
import dev.sparkmla.ui.GenerationSections;
import dev.sparkmla.ui.HtmlTable;
import dev.sparkmla.ui.HtmlTable.Column;
import dev.sparkmla.ui.HtmlText;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What a job has done, as a page of HTML that needs nothing beside it.
 *
 * @param output where the rows are
 * @param end when the job ended
 * @param summary counts of what was written
 * @param errors the first rows in error, a line each
 * @param engines what the engines have done in this run
 * @param settings of the run, by the names that a person knows
 * @param gpuTime how long executors had GPUs, summed over GPUs
 * @param gpuHourPrice what a GPU costs in an hour, in any currency
 */
record Report(
    String output,
    Instant end,
    Summary summary,
    List<String> errors,
    GenerationSections engines,
    Map<String, String> settings,
    Duration gpuTime,
    Optional<Double> gpuHourPrice) {
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'", Locale.ROOT).withZone(ZoneOffset.UTC);

  /** Those of the classes of Spark's pages that the parts use. */
  private static final String STYLE =
      """
      body { font: 14px sans-serif; margin: 2em auto; max-width: 1180px; color: #212529; }
      h1 { font-size: 26px; } h4 { font-size: 18px; margin: 1.5em 0 0.5em; }
      table { border-collapse: collapse; font-size: 12px; }
      th, td { border: 1px solid #dee2e6; padding: 3px 6px; text-align: left; }
      td { overflow-wrap: break-word; } th { background: #f1f3f5; }
      .text-end { text-align: right; } .table-responsive { overflow-x: auto; }
      .w-100 { width: 100%; }
      .d-flex { display: flex; } .flex-wrap { flex-wrap: wrap; }
      .me-4 { margin-right: 24px; } .mb-3 { margin-bottom: 12px; }
      .small { font-size: 12px; } .text-secondary { color: #6c757d; } .fs-5 { font-size: 19px; }
      """;

  /** The page. */
  String html() {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>"
        + HtmlText.escape("Generation of " + output)
        + "</title><style>\n"
        + STYLE
        + "</style></head><body><h1>Generation report</h1><p>"
        + HtmlText.escape("Output: " + output + ". The job ended at " + DATE.format(end) + ".")
        + "</p>"
        + figures()
        + engines.chartsOverTime()
        + engines.histograms()
        + errorTables()
        + engines.executorTable()
        + settingsTable()
        + "</body></html>\n";
  }

  private String figures() {
    Figures figures =
        new Figures("figures")
            .add("Rows", HtmlText.number(summary.rows()), "Rows of the output")
            .add(
                "Rows of earlier runs",
                HtmlText.number(summary.earlierRows()),
                "Those that were there when this run began")
            .add("Rows in error", HtmlText.number(summary.rowsInError()), "Rows of the output")
            .add(
                "Tokens in",
                HtmlText.number(summary.promptTokens()),
                "Tokens of prompts, but for those that are too long")
            .add("Tokens out", HtmlText.number(summary.outputTokens()), "Tokens generated")
            .add(
                "Tokens in from cache",
                HtmlText.percent(summary.cachedTokens(), summary.promptTokens()),
                "Prompt tokens that were found in the KV cache, because rows before had them too")
            .newLine()
            .add(
                "Time of this run",
                ProgressLine.clock(summary.time()),
                "From the first row to the last, without loading the model")
            .add(
                "Tokens/s of this run",
                HtmlText.number(summary.tokensPerSecond()),
                "Prompt and output tokens, over the time of this run");
    if (!gpuTime.isZero()) {
      figures.add(
          "GPU hours of this run",
          String.format(Locale.ROOT, "%.2f", gpuHours()),
          "Since executors joined the application; loading the model counts");
    }
    gpuHourPrice.ifPresent(
        price ->
            figures.add(
                "Cost of a million tokens",
                cost(price),
                "At " + price + " for a GPU hour, for prompt and output tokens together"));
    return figures.html();
  }

  private double gpuHours() {
    return gpuTime.toMillis() / 3.6e6;
  }

  private String cost(double price) {
    if (gpuTime.isZero()) {
      return "no GPU was used";
    }
    return summary.tokens() == 0
        ? "no token was generated"
        : String.format(Locale.ROOT, "%.3f", price * gpuHours() / (summary.tokens() / 1e6));
  }

  private String errorTables() {
    String heading = HtmlText.heading("errors-title", "Errors");
    if (summary.errors().isEmpty()) {
      return heading + "<p id=\"errors\">No row is in error.</p>";
    }
    HtmlTable table =
        new HtmlTable("errors", List.of(Column.ofTexts("Code"), Column.ofNumbers("Rows")));
    summary.errors().forEach((code, rows) -> table.row(List.of(code, HtmlText.number(rows))));
    HtmlTable examples =
        new HtmlTable("examples", List.of(Column.ofTexts("The first rows in error")));
    errors.forEach(error -> examples.row(List.of(error)));
    return heading + table.html() + "<br>" + examples.html();
  }

  private String settingsTable() {
    HtmlTable table =
        new HtmlTable("settings", List.of(Column.ofTexts("Setting"), Column.ofTexts("Value")));
    settings.forEach((name, value) -> table.row(List.of(name, value)));
    return HtmlText.heading("settings-title", "Settings") + table.html();
  }
}
