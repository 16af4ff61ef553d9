package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.ui.GenerationSections;
import dev.sparkmla.ui.HtmlText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  private static final GenerationSections NO_ENGINES =
      new GenerationSections(List.of(), EngineStatistics.NONE, List.of(), List.of());

  @TempDir Path folder;

  @Test
  void saysWhatAMillionTokensCost() {
    assertThat(report(Duration.ofHours(3), Optional.of(2.0)).html())
        .contains("GPU hours of this run", "3.00", "Cost of a million tokens", "1.500");
    assertThat(report(Duration.ZERO, Optional.of(2.0)).html())
        .contains("no GPU was used")
        .doesNotContain("GPU hours of this run");
    assertThat(report(Duration.ofHours(3), Optional.empty()).html())
        .doesNotContain("Cost of a million tokens");
  }

  @Test
  void escapesWhatItShows() {
    assertThat(report(Duration.ZERO, Optional.empty()).html())
        .contains(
            "row &lt;3&gt;: EMPTY_PROMPT", "&lt;b&gt;system&lt;/b&gt;", "2026-01-02 03:04 UTC")
        .doesNotContain("<b>", "http://localhost", "<script");
  }

  @Test
  void isWrittenAtTheEndOfTheJob() throws IOException {
    Path input =
        Files.writeString(
            folder.resolve("in.jsonl"),
            "{\"id\": 1, \"prompt\": \"a\"}\n{\"id\": 2, \"prompt\": null}\n");
    Path file = folder.resolve("report.html");
    JobRun run =
        JobRun.echo(
            "--input",
            input.toString(),
            "--output",
            folder.resolve("out").toString(),
            "--report",
            file.toString());
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(run.out()).contains("the report is in " + file);
    assertThat(Files.readString(file))
        .contains("NULL_PROMPT", "2: NULL_PROMPT", "local[2]")
        .doesNotContain("has not finished");
    assertThat(run.err()).contains("loading the model: embedded demo model");
    assertThat(Files.readString(file))
        .contains("embedded demo model")
        .doesNotContain("spark.mla.model.path", "spark-mla-demo-");
    try (var files = Files.list(folder)) {
      assertThat(files.filter(each -> each.toString().contains("report"))).hasSize(1);
    }
  }

  /** So that a reader can give the same options again, and sees one that is empty. */
  @Test
  void showsOptionsAsAPersonWritesThem() throws IOException {
    Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"prompt\": \"a\"}\n");
    Path format = Files.writeString(folder.resolve("form.txt"), "choice: [\"x\", \"y\"]");
    Path plain = folder.resolve("plain.html");
    Path full = folder.resolve("full.html");
    List<String> usual = List.of("--input", input.toString(), "--input-format", "json");
    JobRun few = report(usual, plain);
    JobRun many =
        report(
            Stream.concat(
                    usual.stream(),
                    Stream.of(
                        "--output-prefix",
                        "a_",
                        "--on-overflow",
                        "TRUNCATE_left",
                        "--backend",
                        "cpu",
                        "--system",
                        "",
                        "--stop",
                        "a b",
                        "--stop",
                        "c",
                        "--partition-by",
                        "a_finish_reason,a_error_code",
                        "--response-format",
                        format.toString(),
                        "--on-error",
                        "FAIL",
                        "--key-column",
                        "Prompt",
                        "--gpu-hour-price",
                        "2.50",
                        "--slice-rows",
                        "7",
                        "--overwrite"))
                .toList(),
            full);

    assertThat(few.code()).as(few.err()).isZero();
    assertThat(many.code()).as(many.err()).isZero();
    assertThat(Files.readString(plain))
        .contains(setting("--input-format", "json"))
        .contains(setting("--on-overflow", "error"))
        .contains(setting("--output-format", "parquet"))
        .contains(setting("--output-prefix", "\"\""))
        .contains(setting("--on-error", "row"))
        .contains(setting("--slice-seconds", "120"))
        .doesNotContain("--backend", "--system", "--stop", "--response-format", "--key-column")
        .doesNotContain("--overwrite", "--gpu-hour-price");
    assertThat(Files.readString(full))
        .contains(setting("--output-prefix", "a_"))
        .contains(setting("--on-overflow", "truncate_left"))
        .contains(setting("--backend", "cpu"))
        .contains(setting("--system", "\"\""))
        .contains(setting("--stop", "\"a b\" \"c\""))
        .contains(setting("--partition-by", "a_finish_reason,a_error_code"))
        .contains(setting("--response-format", format.toString()))
        .contains(setting("--on-error", "fail"))
        .contains(setting("--key-column", "Prompt"))
        .contains(setting("--gpu-hour-price", "2.5"))
        .contains(setting("--slice-rows", "7"))
        .contains(setting("--overwrite", "true"))
        .contains(setting("--output", full + "-out"))
        .doesNotContain("--conf", "--master", "--report")
        .contains(setting("the answers' format", "choice: [\"x\", \"y\"]"));
  }

  private static JobRun report(List<String> options, Path file) {
    List<String> all = new ArrayList<>(options);
    all.addAll(List.of("--output", file + "-out", "--report", file.toString()));
    return JobRun.echo(all.toArray(String[]::new));
  }

  private static String setting(String name, String value) {
    return "<td>" + HtmlText.escape(name) + "</td><td>" + HtmlText.escape(value) + "</td>";
  }

  @Test
  void aPlaceThatCannotBeWrittenIsFoundBeforeTheModelIsLoaded() throws IOException {
    Path input = Files.writeString(folder.resolve("in.jsonl"), "{\"prompt\": \"a\"}\n");
    JobRun run =
        JobRun.echo(
            "--input",
            input.toString(),
            "--output",
            folder.resolve("out").toString(),
            "--report",
            input + "/report.html");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .contains("the report cannot be written to " + input + "/report.html")
        .doesNotContain("loading the model");
  }

  private static Report report(Duration gpuTime, Optional<Double> price) {
    Summary summary =
        new Summary(
            10,
            Map.of("EMPTY_PROMPT", 1L),
            3_000_000,
            0,
            1_000_000,
            0,
            4_000_000,
            Duration.ofHours(1));
    return new Report(
        "out",
        Instant.parse("2026-01-02T03:04:05Z"),
        summary,
        List.of("row <3>: EMPTY_PROMPT: the prompt holds no text"),
        NO_ENGINES,
        Map.of("--system", "<b>system</b>"),
        gpuTime,
        price);
  }
}
