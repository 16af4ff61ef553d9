package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Broken model folders and hostile rows never end a process, never hang and never fail but as what
 * they are: a model, a tokenizer or a template that cannot be used, or a row in error. Some of them
 * here, all of them by {@code bin/test-hostile}.
 */
class HostileInputsTest {
  private static final int FOLDERS = 1200;
  private static final int ROWS = 12_000;

  /** Nothing that is refused or accepted needs near as long, on any machine. */
  private static final int SECONDS_OF_ONE = 20;

  @TempDir private Path scratch;

  @Test
  void someBrokenFoldersAreOpenedOrRefused() throws Exception {
    run("folders", FOLDERS, 60);
  }

  @Test
  void someHostileRowsAreEncodedOrRefused() throws Exception {
    run("rows", ROWS, 1_000);
  }

  @Tag("hostile")
  @Test
  void allBrokenFoldersAreOpenedOrRefused() throws Exception {
    run("folders", 0, FOLDERS);
  }

  @Tag("hostile")
  @Test
  void allHostileRowsAreEncodedOrRefused() throws Exception {
    run("rows", 0, ROWS);
  }

  private void run(String kind, int first, int count) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                HostileInputs.class.getName(),
                kind,
                "" + first,
                "" + count,
                scratch.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      BlockingQueue<Optional<String>> lines = lines(process);
      List<String> wrong = new ArrayList<>();
      int refused = 0;
      for (int seed = first; seed < first + count; seed++) {
        Optional<String> line = lines.poll(SECONDS_OF_ONE, TimeUnit.SECONDS);
        assertThat(line).as("%s, seed %d: no end in %d s", kind, seed, SECONDS_OF_ONE).isNotNull();
        assertThat(line).as("%s, seed %d: the process ended", kind, seed).isPresent();
        assertThat(line.get()).startsWith(seed + "\t");
        if (line.get().contains("\tWRONG\t")) {
          wrong.add(line.get());
        }
        refused += line.get().contains("\tREFUSED\t") ? 1 : 0;
      }
      assertThat(wrong).isEmpty();
      assertThat(refused).as("refused of %d", count).isBetween(1, count - 1);
      assertThat(lines.poll(SECONDS_OF_ONE, TimeUnit.SECONDS)).isEmpty();
      assertThat(process.waitFor()).isZero();
    } finally {
      process.destroyForcibly();
    }
  }

  /** What the process writes, line by line, and an empty one when it has ended. */
  private static BlockingQueue<Optional<String>> lines(Process process) {
    BlockingQueue<Optional<String>> lines = new LinkedBlockingQueue<>();
    Thread reader =
        new Thread(
            () -> {
              try (BufferedReader output =
                  new BufferedReader(
                      new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                for (String line = output.readLine(); line != null; line = output.readLine()) {
                  lines.add(Optional.of(line));
                }
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              } finally {
                lines.add(Optional.empty());
              }
            });
    reader.setDaemon(true);
    reader.start();
    return lines;
  }
}
