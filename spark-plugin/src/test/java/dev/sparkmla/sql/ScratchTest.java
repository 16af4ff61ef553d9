package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkException;
import org.apache.spark.TaskContext;
import org.apache.spark.executor.TaskMetrics;
import org.apache.spark.memory.TaskMemoryManager;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.catalyst.expressions.codegen.UnsafeRowWriter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What is said where finished rows cannot be kept in Spark's local folders. */
class ScratchTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  private final List<Path> folders =
      Arrays.stream(SparkEnv.get().blockManager().diskBlockManager().localDirs())
          .map(File::toPath)
          .toList();

  /** Those that a test has moved away come back with what was in them. */
  @AfterEach
  void bringFoldersBack() throws IOException {
    for (Path folder : folders) {
      if (Files.exists(aside(folder))) {
        Files.deleteIfExists(folder);
        Files.move(aside(folder), folder);
      }
    }
  }

  @Test
  void rowsThatCannotBeWrittenNameHostFoldersAndReason() throws IOException {
    try (RowWindow window = window()) {
      window.add(1, row());
      breakFolders();

      assertThatThrownBy(() -> window.spill(1, window))
          .isInstanceOf(ScratchException.class)
          .hasMessageStartingWith("finished rows cannot be kept in " + folders.get(0))
          .hasMessageContaining(" on the host 127.0.0.1: ")
          .hasMessageContaining("Not a directory")
          .hasMessageEndingWith("; free space there, or name other folders in spark.local.dir")
          .hasCauseInstanceOf(IOException.class);
    }
  }

  /** Where the operating system's exception has a message that is but a name, or none. */
  @Test
  void theReasonIsSaidWhereOnlyTheKindOfExceptionSaysIt() throws IOException {
    try (RowWindow window = window()) {
      window.add(1, row());
      moveFoldersAway();

      assertThatThrownBy(() -> window.spill(1, window))
          .isInstanceOf(ScratchException.class)
          .satisfies(
              problem -> assertThat(problem).hasMessageContaining(problem.getCause().toString()));
    }
  }

  @Test
  void rowsThatCannotBeReadNameHostFoldersAndReason() throws IOException {
    try (RowWindow window = window()) {
      window.add(1, row());
      window.spill(1, window);
      cutSpilledFiles();

      assertThatThrownBy(() -> window.take(1))
          .isInstanceOf(UncheckedIOException.class)
          .cause()
          .isInstanceOf(ScratchException.class)
          .hasMessageStartingWith("finished rows cannot be kept in " + folders.get(0))
          .hasMessageContaining(" on the host 127.0.0.1: ")
          .hasMessageContaining("EOFException")
          .hasMessageEndingWith("; free space there, or name other folders in spark.local.dir");
    }
  }

  /** The first row never ends, and those behind it find no disk. */
  @Test
  void theQueryFailsWithIt() {
    SPARK.set(Map.of("spark.mla.window.bytes", "2k", "spark.mla.batch.rows", "1"));
    SPARK.makeTable(100, 1);
    EchoGenerator.INSTANCE.answerWith(
        request -> {
          if (EchoGenerator.text(request).equals("prompt 0")) {
            if (TaskContext.get().attemptNumber() == 0) {
              breakFolders(); // Not before: Spark uses them when it starts a job.
            }
            return new CompletableFuture<>();
          }
          return CompletableFuture.completedFuture(EchoGenerator.echo(request));
        });

    Throwable failure =
        catchThrowable(
            () -> SPARK.session().sql("select llm_generate_text(p) g from t").collectAsList());

    assertThat(failure).isInstanceOf(SparkException.class);
    assertThat(Stream.iterate(failure, one -> one != null, Throwable::getCause))
        .hasAtLeastOneElementOfType(ScratchException.class);
  }

  private static RowWindow window() {
    return new RowWindow(
        new TaskMemoryManager(SparkEnv.get().memoryManager(), 0), 1 << 20, 1, new TaskMetrics());
  }

  private static UnsafeRow row() {
    UnsafeRowWriter writer = new UnsafeRowWriter(1);
    writer.reset();
    writer.write(0, 7L);
    return writer.getRow().copy();
  }

  /** Leaves a byte of each file of rows: Spark asserts that there is something to read. */
  private void cutSpilledFiles() throws IOException {
    for (Path folder : folders) {
      try (Stream<Path> all = Files.walk(folder)) {
        for (Path file :
            all.filter(path -> path.getFileName().toString().startsWith("temp_local_")).toList()) {
          Files.write(file, new byte[1]);
        }
      }
    }
  }

  /** Puts a file in each folder's place. */
  private void breakFolders() {
    moveFoldersAway();
    try {
      for (Path folder : folders) {
        Files.createFile(folder);
      }
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  private void moveFoldersAway() {
    try {
      for (Path folder : folders) {
        Files.move(folder, aside(folder));
      }
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  private static Path aside(Path folder) {
    return folder.resolveSibling(folder.getFileName() + "-aside");
  }
}
