package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A job in a process of its own, which is killed by signal 9 while the demo model answers. */
class KilledJobTest {
  @TempDir Path folder;

  /** What was generated before the kill stays, and all texts are the same. */
  @Test
  void aKilledDriversRowsAreKept() throws IOException, InterruptedException {
    List<String> prompts =
        IntStream.range(0, 12).mapToObj(row -> "The document says that " + row % 5).toList();
    Files.write(folder.resolve("prompts.txt"), prompts);
    assertThat(job("undisturbed")).isZero();

    int killed =
        job(
            "killed",
            "--conf",
            FaultyPlugin.AFTER + "=4",
            "--conf",
            FaultyPlugin.FAULT + "=" + FaultyPlugin.Action.KILL);
    Set<String> before = JobProcess.slices(folder.resolve("killed-unfinished"));
    boolean isThere = Files.exists(folder.resolve("killed"));
    int resumed = job("killed");

    assertThat(killed).isEqualTo(JobProcess.KILLED);
    assertThat(before).isNotEmpty();
    assertThat(isThere).isFalse();
    assertThat(resumed).as(Files.readString(log("killed"))).isZero();
    assertThat(JobProcess.slices(folder.resolve("killed"))).containsAll(before);
    assertThat(texts("killed")).hasSize(12).isEqualTo(texts("undisturbed"));
  }

  /** Runs the job and returns its exit code. */
  private int job(String output, String... more) throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(JobProcess.options());
    arguments.addAll(
        List.of(
            "--input",
            folder.resolve("prompts.txt").toString(),
            "--output",
            folder.resolve(output).toString(),
            "--model",
            Path.of("demo-model", "model").toAbsolutePath().toString(),
            "--backend",
            "cpu",
            "--max-tokens",
            "8",
            "--temperature",
            "0",
            "--slice-rows",
            "1",
            "--master",
            "local[2]",
            "--conf",
            FaultyPlugin.ANSWERS + "=model"));
    arguments.addAll(List.of(more));
    return JobProcess.run(folder, log(output), arguments);
  }

  private Path log(String output) {
    return folder.resolve(output + ".log");
  }

  private List<String> texts(String output) throws IOException {
    return JobRun.rows(folder.resolve(output)).stream()
        .map(row -> row.get("text").asText())
        .toList();
  }
}
